"""Material for the tests of pipelines: each operator once, and what must never reach MongoDB."""

from typing import Any

from bson import Timestamp

DOCUMENTS: list[dict[str, Any]] = [
    {
        "_id": number,
        "n": number,
        "x": number + 0.5,
        "text": "a,b,Hello",
        "when": f"2024-01-0{number}T10:00:00Z",
        "list": [3, 1, 2],
        "lists": [[1, 2], [3]],
        "pairs": [{"k": "a", "v": 1}],
        "flags": [True, False],
        "sub": {"a": 1, "b": "two"},
        "city": "Oslo" if number % 2 else "Bergen",
        "place": {"type": "Point", "coordinates": [10.0 + number, 59.0]},
    }
    for number in range(1, 6)
]

DATE: Any = {"$toDate": "$when"}
STAMP = Timestamp(5, 1)

ONE_NUMBER = [
    "$abs",
    "$ceil",
    "$exp",
    "$floor",
    "$ln",
    "$log10",
    "$sqrt",
    "$sin",
    "$cos",
    "$tan",
    "$atan",
    "$sinh",
    "$cosh",
    "$tanh",
    "$asinh",
    "$acosh",
    "$degreesToRadians",
    "$radiansToDegrees",
    "$isNumber",
    "$toBool",
    "$toDecimal",
    "$toDouble",
    "$toInt",
    "$toLong",
    "$toString",
    "$type",
    "$isArray",
    "$toDate",
]
TWO_NUMBERS = [
    "$divide",
    "$log",
    "$mod",
    "$pow",
    "$subtract",
    "$atan2",
    "$cmp",
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
]
MANY_NUMBERS = ["$add", "$multiply", "$and", "$or", "$sum", "$avg", "$min", "$max", "$stdDevPop", "$stdDevSamp"]
DATE_PARTS = [
    "$year",
    "$month",
    "$week",
    "$dayOfYear",
    "$dayOfMonth",
    "$dayOfWeek",
    "$hour",
    "$minute",
    "$second",
    "$millisecond",
    "$isoWeekYear",
    "$isoWeek",
    "$isoDayOfWeek",
]

EXAMPLES: dict[str, Any] = {
    **{name: {name: {"$toLong": "$n"}} for name in ONE_NUMBER},
    **{name: {name: ["$x", 2]} for name in TWO_NUMBERS},
    **{name: {name: ["$x", 2, "$n"]} for name in MANY_NUMBERS},
    **{name: {name: {"date": DATE, "timezone": "Europe/Oslo"}} for name in DATE_PARTS},
    **{name: {name: {"$divide": [1, "$n"]}} for name in ("$asin", "$acos", "$atanh")},
    **{name: {name: ["$x", 1]} for name in ("$round", "$trunc")},
    **{name: {name: "$text"} for name in ("$strLenBytes", "$strLenCP", "$toLower", "$toUpper", "$binarySize")},
    **{name: {name: ["$text", "b", 0, 9]} for name in ("$indexOfBytes", "$indexOfCP")},
    **{name: {name: ["$text", 0, 2]} for name in ("$substr", "$substrBytes", "$substrCP")},
    **{name: {name: {"input": "$text", "chars": "ao"}} for name in ("$trim", "$ltrim", "$rtrim")},
    **{
        name: {name: {"input": "$text", "find": "a", "replacement": "$city"}} for name in ("$replaceOne", "$replaceAll")
    },
    **{
        name: {name: {"input": "$text", "regex": "^a.b", "options": "i"}}
        for name in ("$regexMatch", "$regexFind", "$regexFindAll")
    },
    **{name: {name: "$list"} for name in ("$first", "$last", "$reverseArray", "$size")},
    **{name: {name: {"n": 2, "input": "$list"}} for name in ("$firstN", "$lastN", "$maxN", "$minN")},
    **{name: {name: ["$flags"]} for name in ("$allElementsTrue", "$anyElementTrue")},
    **{name: {name: ["$list", [1, 2]]} for name in ["$setDifference", "$setIsSubset", "$setIntersection", "$setUnion"]},
    **{
        name: {name: {"startDate": DATE, "unit": "day", "amount": "$n", "timezone": "UTC"}}
        for name in ("$dateAdd", "$dateSubtract")
    },
    **{name: {name: STAMP} for name in ("$tsSecond", "$tsIncrement")},
    "$not": {"$not": "$n"},
    "$rand": {"$rand": {}},
    "$cond": {"$cond": {"if": {"$gt": ["$n", 2]}, "then": "big", "else": {"$cond": ["$x", 1, "$$REMOVE"]}}},
    "$ifNull": {"$ifNull": ["$nothing", "$n", 0]},
    "$switch": {"$switch": {"branches": [{"case": {"$eq": ["$n", 1]}, "then": "one"}], "default": "more"}},
    "$concat": {"$concat": ["$text", "!"]},
    "$split": {"$split": ["$text", ","]},
    "$strcasecmp": {"$strcasecmp": ["$text", "A"]},
    "$arrayElemAt": {"$arrayElemAt": ["$list", -1]},
    "$in": {"$in": ["$n", "$list"]},
    "$range": {"$range": [0, "$n", 1]},
    "$slice": {"$slice": ["$list", 1, 2]},
    "$concatArrays": {"$concatArrays": ["$list", [1], "$nothing"]},
    "$indexOfArray": {"$indexOfArray": ["$list", 2]},
    "$map": {"$map": {"input": "$list", "as": "each", "in": {"$add": ["$$each", "$n"]}}},
    "$filter": {"$filter": {"input": "$list", "cond": {"$gt": ["$$this", 1]}, "limit": 1}},
    "$reduce": {"$reduce": {"input": "$list", "initialValue": 0, "in": {"$add": ["$$value", "$$this"]}}},
    "$sortArray": {"$sortArray": {"input": "$pairs", "sortBy": {"k": -1}}},
    "$zip": {"$zip": {"inputs": ["$list", [1]], "useLongestLength": True, "defaults": [0, 0]}},
    "$setEquals": {"$setEquals": ["$list", [1, 2, 3]]},
    "$objectToArray": {"$objectToArray": "$sub"},
    "$arrayToObject": {"$arrayToObject": "$pairs"},
    "$mergeObjects": {"$mergeObjects": ["$sub", {"c": 1}]},
    "$getField": {"$getField": {"field": "a.$b", "input": "$sub"}},
    "$setField": {"$setField": {"field": "c", "input": "$sub", "value": "$n"}},
    "$unsetField": {"$unsetField": {"field": {"$literal": "a"}, "input": "$sub"}},
    "$dateDiff": {"$dateDiff": {"startDate": DATE, "endDate": "$$NOW", "unit": "week", "startOfWeek": "monday"}},
    "$dateTrunc": {"$dateTrunc": {"date": DATE, "unit": "hour", "binSize": 6, "timezone": "UTC"}},
    "$dateFromParts": {"$dateFromParts": {"isoWeekYear": 2024, "isoWeek": "$n", "hour": 1}},
    "$dateToParts": {"$dateToParts": {"date": DATE, "iso8601": True}},
    "$dateFromString": {"$dateFromString": {"dateString": "$text", "onError": None, "onNull": "none"}},
    "$dateToString": {"$dateToString": {"date": DATE, "format": "%Y-%m", "timezone": "UTC", "onNull": ""}},
    "$toObjectId": {"$toObjectId": "65a000000000000000000000"},
    "$bsonSize": {"$bsonSize": "$$ROOT"},
    "$convert": {"$convert": {"input": "$text", "to": "int", "onError": -1, "onNull": 0}},
    "$let": {"$let": {"vars": {"total": {"$add": ["$n", "$x"]}}, "in": {"$multiply": ["$$total", 2]}}},
    "$literal": {"$literal": {"price": "$5", "a.b": ["$$ROOT"]}},
}
"""One use of each operator, except $meta, which needs a text index."""

ACCUMULATED: dict[str, Any] = {
    **dict.fromkeys(["$sum", "$avg", "$min", "$max", "$first", "$last", "$push", "$addToSet"], "$n"),
    **dict.fromkeys(["$stdDevPop", "$stdDevSamp"], "$n"),
    **{name: {"n": 2, "input": "$n"} for name in ("$firstN", "$lastN", "$maxN", "$minN")},
    **{name: {"output": ["$n", "$x"], "sortBy": {"n": -1}} for name in ("$top", "$bottom")},
    **{name: {"n": 2, "output": "$n", "sortBy": {"n": -1}} for name in ("$topN", "$bottomN")},
    "$count": {},
}

WINDOWS: dict[str, Any] = {
    **ACCUMULATED,
    **{name: ["$n", "$x"] for name in ("$covariancePop", "$covarianceSamp")},
    **{name: {"input": "$x"} for name in ("$derivative", "$integral")},
}

WHOLE_PARTITION: dict[str, Any] = {
    **{name: {} for name in ("$rank", "$denseRank", "$documentNumber")},
    **dict.fromkeys(("$linearFill", "$locf"), "$x"),
    "$expMovingAvg": {"input": "$x", "alpha": 0.5},
    "$shift": {"output": "$n", "by": -1, "default": "none"},
}

STAGE_EXAMPLES: dict[str, Any] = {
    "$match": {"n": {"$gt": 1}},
    "$project": {"_id": 0, "n": 1, "double": {"$multiply": ["$n", 2]}, "new": {"deep": "$x"}, "word": "plain"},
    "$addFields": {"sub.c": "$n", "other": {"inner": {"$add": ["$n", 1]}}, "price": {"$literal": "$5"}},
    "$set": {"n": 0, "list": []},
    "$unset": ["text", "sub.a"],
    "$unwind": {"path": "$list", "includeArrayIndex": "at", "preserveNullAndEmptyArrays": True},
    "$replaceRoot": {"newRoot": {"n": "$n", "sub": "$$ROOT.sub"}},
    "$replaceWith": {"$mergeObjects": ["$sub", {"n": "$n"}]},
    "$group": {"_id": {"city": "$city"}, "total": {"$sum": "$n"}, "all": {"$push": "$$ROOT"}},
    "$bucket": {"groupBy": "$n", "boundaries": [0, 2, 4], "default": "rest", "output": {"n": {"$count": {}}}},
    "$bucketAuto": {"groupBy": "$n", "buckets": 2, "granularity": "R5", "output": {"n": {"$push": "$n"}}},
    "$sortByCount": "$city",
    "$count": "how_many",
    "$facet": {"cities": [{"$sortByCount": "$city"}], "all": []},
    "$setWindowFields": {
        "partitionBy": "$city",
        "sortBy": {"n": 1},
        "output": {"sub.total": {"$sum": "$n", "window": {"documents": ["unbounded", "current"]}}},
    },
    "$densify": {"field": "n", "partitionByFields": ["city"], "range": {"step": 0.5, "bounds": [0, 3]}},
    "$fill": {"partitionBy": "$city", "sortBy": {"n": 1}, "output": {"x": {"method": "linear"}, "y": {"value": 0}}},
    "$sort": {"sub.a": -1, "n": 1},
    "$limit": 3,
    "$skip": 1,
    "$sample": {"size": 2},
    "$geoNear": {
        "near": {"type": "Point", "coordinates": [10.5, 59.0]},
        "distanceField": "far.metres",
        "includeLocs": "far.place",
        "maxDistance": 500_000,
        "minDistance": 0,
        "distanceMultiplier": 0.001,
        "key": "place",
        "spherical": True,
        "query": {"n": {"$gte": 1}},
    },
}

CODE: dict[str, Any] = {"body": "function() { return 1 }", "args": [], "lang": "js"}
FUNCTION: dict[str, Any] = {"$function": CODE}
JOIN = {"from": "users", "localField": "a", "foreignField": "b", "as": "c"}
SUM_IN_JS: dict[str, Any] = {
    "init": "function() {}",
    "accumulate": "function() {}",
    "accumulateArgs": [],
    "merge": "",
    "lang": "js",
}

ATTACKS: list[list[Any]] = [
    [{"$match": {}}, {"$out": "users"}],
    [{"$out": {"db": "admin", "coll": "x"}}],
    [{"$merge": {"into": "users"}}],
    [{"$lookup": JOIN}],
    [{"$facet": {"a": [{"$lookup": JOIN}]}}],
    [{"$facet": {"a": [{"$match": {}}, {"$out": "users"}]}}],
    [{"$facet": {"a": [{"$facet": {"b": []}}]}}],
    [{"$facet": {"a": [{"$geoNear": {"near": [0, 0], "distanceField": "d"}}]}}],
    [{"$unionWith": "users"}],
    [{"$unionWith": {"coll": "users", "pipeline": [{"$match": {}}]}}],
    [{"$graphLookup": {"from": "users", "startWith": "$a", "connectFromField": "a", "connectToField": "b", "as": "c"}}],
    *([{name: {}}] for name in (
        "$currentOp", "$collStats", "$indexStats", "$planCacheStats", "$listSessions", "$listLocalSessions",
        "$changeStream", "$documents", "$redact", "$search", "$searchMeta", "$vectorSearch", "$queryStats",
        "$_internalInhibitOptimization", "$backupCursor", "$mergeCursors", "$shardedDataDistribution", "$queue",
    )),
    [{"$addFields": {"a": FUNCTION}}],
    [{"$addFields": {"a": {"b": FUNCTION}}}],
    [{"$project": {"a": FUNCTION}}],
    [{"$project": {"a": {"b": {"c": [{"d": FUNCTION}]}}}}],
    [{"$group": {"_id": FUNCTION}}],
    [{"$group": {"_id": None, "a": {"$sum": FUNCTION}}}],
    [{"$group": {"_id": None, "a": {"$accumulator": SUM_IN_JS}}}],
    [{"$bucket": {"groupBy": "$n", "boundaries": [0, 1], "output": {"a": {"$accumulator": SUM_IN_JS}}}}],
    [{"$bucketAuto": {"groupBy": FUNCTION, "buckets": 2}}],
    [{"$setWindowFields": {"output": {"a": {"$accumulator": SUM_IN_JS}}}}],
    [{"$setWindowFields": {"partitionBy": FUNCTION, "output": {"a": {"$count": {}}}}}],
    [{"$fill": {"output": {"a": {"value": FUNCTION}}}}],
    [{"$sortByCount": FUNCTION}],
    [{"$replaceWith": FUNCTION}],
    [{"$replaceRoot": {"newRoot": {"a": FUNCTION}}}],
    [{"$project": {"a": {"$map": {"input": "$list", "in": FUNCTION}}}}],
    [{"$project": {"a": {"$let": {"vars": {"v": FUNCTION}, "in": 1}}}}],
    [{"$project": {"a": {"$switch": {"branches": [{"case": 1, "then": FUNCTION}]}}}}],
    [{"$project": {"a": {"$_internalJsEmit": {}}}}],
    [{"$project": {"a": {"$sum": ["$a"], "$function": CODE}}}],
    [{"$match": {"$where": "sleep(2000)"}}],
    [{"$match": {"$expr": FUNCTION}}],
    [{"$match": {"$expr": {"$eq": ["$a", 1]}}}],
    [{"$match": {"$or": [{"a": 1}, {"$and": [{"$nor": [{"$where": "1"}]}]}]}}],
    [{"$match": {"a": {"$elemMatch": {"$or": [{"$expr": True}]}}}}],
    [{"$facet": {"a": [{"$match": {"$where": "1"}}]}}],
    [{"$geoNear": {"near": [0, 0], "distanceField": "d", "query": {"$where": "1"}}}],
    [{"$match": {"a": {"$regex": "^(a+)+$"}}}],
    *([{"$project": {"a": {name: {"input": "$text", "regex": "^(a+)+$"}}}}] for name in (
        "$regexMatch", "$regexFind", "$regexFindAll",
    )),
    [{"$project": {"a": {"$regexMatch": {"input": "$text", "regex": "$pattern"}}}}],
    [{"$project": {"a": {"$regexMatch": {"input": "$text", "regex": {"$concat": ["(a+)", "+$"]}}}}}],
    [{"$project": {"a": {"$regexMatch": {"input": "$text", "regex": "a", "options": "$options"}}}}],
    [{"$project": {"a": {"$regexMatch": {"input": "$text", "regex": "a", "options": "x"}}}}],
    *([{"$project": {"a": name}}] for name in (
        "$$USER_ROLES", "$$SEARCH_META", "$$CLUSTER_TIME", "$$DESCEND", "$$PRUNE", "$$JS_SCOPE", "$$this", "$$value",
        "$$", "$", "$a..b", "$a.$b", "$a\0b", "$$ROOT.", "$$ROOT.$a", "$$NOW.\0", "$$unbound",
    )),
    [{"$sort": {"a": {"$meta": "searchScore"}}}],
    [{"$project": {"a": {"$meta": "indexKey"}}}],
]  # fmt: skip

GROWTH: list[Any] = [
    ["$$value"],
    {"a": "$$value"},
    {"$concatArrays": ["$$value", "$$value"]},
    {"$concatArrays": ["$$value", ["$$value"]]},
    {"$concatArrays": ["$$value.a", "$$value.a.b"]},
    {"a": {"$concatArrays": ["$$value.a", "$$value.b"]}, "b": "$$value.a"},
    {"$let": {"vars": {"v": "$$value"}, "in": {"$concatArrays": ["$$v", "$$v"]}}},
    {"$let": {"vars": {"v": {"p": "$$value.a"}}, "in": {"x": "$$v.p", "y": "$$value.a.q"}}},
    {"$map": {"input": "$$value", "in": "$$value"}},
    {"$map": {"input": "$$value", "in": ["$$this"]}},
    {"$map": {"input": "$list", "in": "$$value.a"}},
    {
        "$reduce": {
            "input": "$$value",
            "initialValue": [],
            "in": {"$concatArrays": ["$$value", "$$this", "$$this"]},
        }
    },
    {"$reduce": {"input": "$$value", "initialValue": "$$value", "in": {"$concatArrays": ["$$value", "$$this"]}}},
    {"$arrayToObject": {"$objectToArray": {"a": "$$value"}}},
    {"$concatArrays": ["$$value.a", {"$map": {"input": {"$objectToArray": "$$value"}, "in": "$$this.v"}}]},
    {"$mergeObjects": ["$$value", {"a": "$$value"}]},
    {"$mergeObjects": ["$$value", {"a": "$$value.b"}]},
    {"$mergeObjects": ["$$value", {"a": "$missing", "b": "$$value.a"}]},
    {"$setField": {"field": "a", "input": "$$value", "value": "$$value"}},
    {"$cond": ["$$this", {"$ifNull": ["$nothing", ["$$value"]]}, "$$value"]},
    {"$switch": {"branches": [{"case": "$$this", "then": {"a": "$$value"}}], "default": 0}},
    {"$convert": {"input": "x", "to": "int", "onError": ["$$value"]}},
    {"$zip": {"inputs": ["$$value", [1]]}},
    {"$getField": {"field": "a", "input": {"a": {"b": ["$$value"]}}}},
    {"$slice": [{"$concatArrays": [["$$value"]]}, 1]},
]
"""Bodies of a $reduce that would bring mongod down."""

LINEAR_GROWTH: list[tuple[Any, Any, Any]] = [
    (0, {"$add": ["$$value", "$$this"]}, 6),
    (0, {"$max": ["$$value", "$$this"]}, 3),
    ([], {"$concatArrays": ["$$value", ["$$this"]]}, [3, 1, 2]),
    ([], {"$concatArrays": [["$$this"], "$$value"]}, [2, 1, 3]),
    ([0], {"$concatArrays": ["$$value", [{"$add": [{"$last": "$$value"}, "$$this"]}]]}, [0, 3, 4, 6]),
    ([], {"$cond": [{"$gt": ["$$this", 1]}, {"$concatArrays": ["$$value", ["$$this"]]}, "$$value"]}, [3, 2]),
    ([], {"$setUnion": ["$$value", ["$$this"]]}, [1, 2, 3]),
    ("", {"$concat": ["$$value", {"$toString": "$$this"}, "$$value"]}, "3132313"),
    (
        {"sum": 0, "all": []},
        {"sum": {"$add": ["$$value.sum", "$$this"]}, "all": {"$concatArrays": ["$$value.all", ["$$this"]]}},
        {"sum": 6, "all": [3, 1, 2]},
    ),
    (
        {"all": []},
        {"$mergeObjects": ["$$value", {"all": {"$concatArrays": ["$$value.all", ["$$this"]]}}]},
        {"all": [3, 1, 2]},
    ),
    (
        {"n": 0},
        {"$setField": {"field": "n", "input": "$$value", "value": {"$add": ["$$value.n", "$$this"]}}},
        {"n": 6},
    ),
    (
        {"a": 1},
        {
            "$arrayToObject": {
                "$map": {
                    "input": {"$objectToArray": "$$value"},
                    "in": {"k": "$$this.k", "v": {"$add": ["$$this.v", 1]}},
                }
            }
        },
        {"a": 4},
    ),
    ([{"n": 1}], {"$map": {"input": "$$value", "in": {"$mergeObjects": ["$$this", {"m": 1}]}}}, [{"n": 1, "m": 1}]),
    ([1, 2], {"$filter": {"input": "$$value", "cond": {"$ne": ["$$this", 1]}}}, [2]),
    (
        [[1], [2]],
        {"$reduce": {"input": "$$value", "initialValue": [], "in": {"$concatArrays": ["$$value", ["$$this"]]}}},
        [[1], [2]],
    ),
]
"""Starting values, bodies over [3, 1, 2], and results."""
