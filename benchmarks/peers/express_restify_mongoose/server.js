// The README of express-restify-mongoose, with one model.
const express = require('express')
const mongoose = require('mongoose')
const restify = require('express-restify-mongoose')

const { BENCH_MONGODB_URI, BENCH_DATABASE, BENCH_PORT } = process.env

const Item = mongoose.model(
  'Item',
  new mongoose.Schema(
    {
      name: { type: String, required: true },
      sku: { type: String, required: true },
      category: { type: String, required: true },
      price: { type: Number, required: true },
      stock: { type: Number, required: true },
      rating: { type: Number, required: true },
      active: { type: Boolean, required: true },
      tags: [String],
      dimensions: { width: Number, height: Number, depth: Number },
      description: { type: String, required: true }
    },
    { collection: 'items', autoIndex: false }
  )
)

const app = express()
const router = express.Router()
app.use(express.json())
restify.serve(router, Item)
app.use(router)

mongoose
  .connect(BENCH_MONGODB_URI, { dbName: BENCH_DATABASE })
  .then(() => app.listen(Number(BENCH_PORT), '127.0.0.1'))
  .catch((error) => {
    console.error(error)
    process.exit(1)
  })
