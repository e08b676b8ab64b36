// The README of Parse Server, without Cloud Code and open to anonymous clients.
const express = require('express')
const { ParseServer } = require('parse-server')

const { BENCH_MONGODB_URI, BENCH_DATABASE, BENCH_PORT } = process.env

async function main () {
  const server = new ParseServer({
    databaseURI: BENCH_MONGODB_URI.replace('/?', `/${BENCH_DATABASE}?`),
    appId: 'bench',
    masterKey: 'bench',
    serverURL: `http://127.0.0.1:${BENCH_PORT}/parse`,
    allowClientClassCreation: true,
    logLevel: 'error',
    logsFolder: null,
    verbose: false
  })
  await server.start()
  const app = express()
  app.use('/parse', server.app)
  app.listen(Number(BENCH_PORT), '127.0.0.1')
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
