-- Sends the requests that it is given as arguments: a seed, the number of documents, the number of categories, the
-- prefix of the ids, and then for each template its share of a hundred, method, path, headers (a line each) and body.
local documents, categories, prefix
local templates = {}
local n = 0

local values = {
   id = function() return string.format("%s%016x", prefix, math.random(0, documents - 1)) end,
   category = function() return "category-" .. math.random(0, categories - 1) end,
   n = function() n = n + 1; return tostring(n) end,
}

local function fill(text)
   return (text:gsub("@(%w+)@", function(name) return values[name]() end))
end

local function parse_headers(text)
   local headers = {}
   for name, value in text:gmatch("([^:\n]+): ([^\n]+)") do headers[name] = value end
   return headers
end

function init(args)
   math.randomseed(tonumber(args[1]))
   documents, categories, prefix = tonumber(args[2]), tonumber(args[3]), args[4]
   for i = 5, #args, 5 do
      local template = {
         share = tonumber(args[i]), method = args[i + 1], path = args[i + 2],
         headers = parse_headers(args[i + 3]), body = args[i + 4] ~= "" and args[i + 4] or nil,
      }
      if not (template.path .. (template.body or "")):find("@%w+@") then
         template.bytes = wrk.format(template.method, template.path, template.headers, template.body)
      end
      templates[#templates + 1] = template
   end
end

local function choose()
   if #templates == 1 then return templates[1] end
   local ticket = math.random(1, 100)
   for _, template in ipairs(templates) do
      ticket = ticket - template.share
      if ticket <= 0 then return template end
   end
   return templates[#templates]
end

function request()
   local template = choose()
   if template.bytes then return template.bytes end
   local body = template.body and fill(template.body)
   return wrk.format(template.method, fill(template.path), template.headers, body)
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"requests": %d, "microseconds": %d, "p50_microseconds": %d, "p99_microseconds": %d, '
         .. '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect, errors.read, errors.write, errors.status, errors.timeout
   ))
end
