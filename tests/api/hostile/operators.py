"""Queries that want MongoDB to do more than look: run code, write, read elsewhere, or never end."""

from collections.abc import Sequence
from typing import Any, Final

from tests.api.hostile.attack import Attack, as_json

SLEEP: Final = "function() { sleep(2000); return true }"
FUNCTION: Final[dict[str, Any]] = {"$function": {"body": SLEEP, "args": [], "lang": "js"}}
ACCUMULATOR: Final[dict[str, Any]] = {
    "$accumulator": {"init": SLEEP, "accumulate": SLEEP, "accumulateArgs": [], "merge": SLEEP, "lang": "js"}
}
ELSEWHERE: Final = "stolen"
"""A database that no request may make."""

_FILTERS: Final[dict[str, Any]] = {
    "$where": {"$where": SLEEP},
    "$where in $and": {"$and": [{"name": "x"}, {"$where": SLEEP}]},
    "$where in $or in $and": {"$and": [{"$or": [{"name": "x"}, {"$and": [{"$where": SLEEP}]}]}]},
    "$where in $nor": {"$nor": [{"$where": SLEEP}]},
    "$where behind a harmless sibling": {"$or": [{"a": {"$elemMatch": {"b": 1}}}, {"$where": SLEEP}]},
    "$where in $not": {"name": {"$not": {"$where": SLEEP}}},
    "$where in $elemMatch": {"tags": {"$elemMatch": {"$where": SLEEP}}},
    "$where in $all": {"tags": {"$all": [{"$elemMatch": {"$where": SLEEP}}]}},
    "$where as a field's operator": {"name": {"$where": SLEEP}},
    "code as a value": {"name": {"$eq": {"$where": SLEEP}}},
    "$expr": {"$expr": {"$eq": ["$password", "hunter2"]}},
    "$expr with $function": {"$expr": FUNCTION},
    "$expr in $and": {"$and": [{"$expr": FUNCTION}]},
    "$expr in $elemMatch": {"tags": {"$elemMatch": {"$expr": FUNCTION}}},
    "$function": FUNCTION,
    "$jsonSchema": {"$jsonSchema": {"required": ["password"]}},
    "$comment": {"$comment": "x"},
    "$text in a filter": {"$text": {"$search": "x"}},
    "$rand": {"$sampleRate": 0.5},
    "$natural": {"$natural": 1},
    "$query, as old drivers sent it": {"$query": {}, "$orderby": {"a": 1}},
    "$explain": {"$query": {}, "$explain": True},
    "$maxTimeMS": {"$query": {}, "$maxTimeMS": 0},
    "an operator nobody knows": {"name": {"$evil": 1}},
    "an operator in upper case": {"name": {"$WHERE": SLEEP}},
    "an operator among fields": {"name": {"first": "x", "$where": SLEEP}},
    "an operator as a step of a path": {"name.$where": SLEEP},
    "a path that starts with an operator": {"$where.x": SLEEP},
    "an empty path": {"": 1},
    "a path of dots": {"..": 1},
    "a path with NUL": {"a\0b": 1},
    "a path of 101 steps": {".".join("a" * 101): 1},
    "a value with an operator deep down": {"a": {"b": {"$gt": 1}}},
    "$in of an operator": {"name": {"$in": [{"$ne": 1}]}},
    "$in of 1,001": {"name": {"$in": list(range(1001))}},
    "$or of nothing": {"$or": []},
    "$or of a number": {"$or": 7},
    "$size of a string": {"tags": {"$size": "1"}},
    "$size below zero": {"tags": {"$size": -1}},
    "$mod by zero": {"stock": {"$mod": [0, 1]}},
    "$type that is none": {"name": {"$type": "password"}},
    "$exists of a string": {"name": {"$exists": "true"}},
    "$regex that blows up": {"name": {"$regex": "^(a+)+$"}},
    "$regex that blows up, by alternatives": {"name": {"$regex": "^(a|a)*$"}},
    "$regex that blows up, by a group": {"name": {"$regex": "(.*)*x"}},
    "$regex that blows up, by counts": {"name": {"$regex": "((a{1,100}){1,100}){1,100}"}},
    "$regex of five repeats that compete": {"name": {"$regex": "a*a*a*a*a*b"}},
    "$regex with a back reference": {"name": {"$regex": r"(a)\1"}},
    "$regex with recursion": {"name": {"$regex": "(?R)"}},
    "$regex with a verb": {"name": {"$regex": "(*COMMIT)a"}},
    "$regex with lookbehind": {"name": {"$regex": "(?<=a+)b"}},
    "$regex of 201 characters": {"name": {"$regex": "a" * 201}},
    "$regex with NUL": {"name": {"$regex": "a\0b"}},
    "$regex that does not close": {"name": {"$regex": "(a"}},
    "$regex with an option that is none": {"name": {"$regex": "a", "$options": "e"}},
    "$regex of a number": {"name": {"$regex": 7}},
    "$options alone": {"name": {"$options": "i"}},
    "a pattern in Extended JSON that blows up": {"name": {"$regularExpression": {"pattern": "^(a+)+$", "options": ""}}},
    "a pattern in $in that blows up": {
        "name": {"$in": [{"$regularExpression": {"pattern": "^(a+)+$", "options": ""}}]}
    },
    "a pattern in $not that blows up": {"name": {"$not": {"$regex": "^(a+)+$"}}},
    "code in Extended JSON": {"name": {"$code": SLEEP}},
    "code with a scope": {"name": {"$code": SLEEP, "$scope": {}}},
    "a reference to another database": {
        "name": {"$dbPointer": {"$ref": "admin.system.users", "$id": {"$oid": "65a1f0c2d4b5e6f708192a3b"}}}
    },
    "geometry that is none": {"place": {"$geoWithin": {"$geometry": {"type": "Polygon", "coordinates": [[[0]]]}}}},
    "$near": {"place": {"$near": {"$geometry": {"type": "Point", "coordinates": [999, 999]}}}},
    "a filter 30 deep": None,
    "a filter that is an array": [],
    "a filter that is a string": "{}",
    "20,001 values": {"name": {"$nin": [[0] * 500] * 41}},
}


def _nested(depth: int) -> Any:  # JSON
    inner: Any = {"name": "x"}
    for _ in range(depth):
        inner = {"$and": [inner]}
    return inner


_FILTERS["a filter 30 deep"] = _nested(30)

_QUERY_MEMBERS: Final[dict[str, tuple[dict[str, Any], int, str]]] = {
    "an alias for a hidden field": ({"fields": {"leak": "$password"}}, 400, "invalid-parameter"),
    "a field by $function": ({"fields": {"leak": FUNCTION}}, 400, "invalid-parameter"),
    "a field by $elemMatch": ({"fields": {"tags": {"$elemMatch": {"$where": SLEEP}}}}, 400, "invalid-parameter"),
    "a field by $meta": ({"fields": {"leak": {"$meta": "recordId"}}}, 400, "invalid-parameter"),
    "a field by position": ({"fields": {"tags.$": 1}}, 400, "invalid-parameter"),
    "a field by a number that is not 1": ({"fields": {"name": 2}}, 400, "invalid-parameter"),
    "a sort by $meta": ({"sort": {"name": {"$meta": "textScore"}}}, 400, "invalid-parameter"),
    "a sort by an operator": ({"sort": {"$where": 1}}, 400, "invalid-parameter"),
    "a sort by 2": ({"sort": {"name": 2}}, 400, "invalid-parameter"),
    "a limit below zero": ({"limit": -1}, 400, "invalid-parameter"),
    "a limit of true": ({"limit": True}, 422, "invalid-document"),
    "a limit of 2^63-1": ({"limit": 2**63 - 1}, 400, "invalid-parameter"),
    "a limit as a string": ({"limit": "10"}, 422, "invalid-document"),
    "a cursor that is an object": ({"cursor": {"$gt": ""}}, 422, "invalid-document"),
    "a hint": ({"hint": {"$natural": 1}}, 422, "invalid-document"),
    "a comment": ({"comment": "x"}, 422, "invalid-document"),
    "a collation": ({"collation": {"locale": "en"}}, 422, "invalid-document"),
    "another collection": ({"collection": "users"}, 422, "invalid-document"),
    "__proto__": ({"__proto__": {"filter": {}}}, 422, "invalid-document"),
}

_STAGES: Final[dict[str, Any]] = {
    "$out": [{"$out": "people"}],
    "$out to another database": [{"$out": {"db": ELSEWHERE, "coll": "x"}}],
    "$merge": [{"$merge": {"into": "people"}}],
    "$merge into another database": [{"$merge": {"into": {"db": ELSEWHERE, "coll": "x"}}}],
    "$lookup": [{"$lookup": {"from": "users", "localField": "a", "foreignField": "b", "as": "c"}}],
    "$lookup with a pipeline": [{"$lookup": {"from": "users", "pipeline": [{"$match": {}}], "as": "c"}}],
    "$lookup in $facet": [{"$facet": {"a": [{"$lookup": {"from": "users", "pipeline": [], "as": "c"}}]}}],
    "$graphLookup": [
        {"$graphLookup": {"from": "users", "startWith": 1, "connectFromField": "a", "connectToField": "b", "as": "c"}}
    ],
    "$unionWith": [{"$unionWith": "users"}],
    "$unionWith with a pipeline": [{"$unionWith": {"coll": "users", "pipeline": []}}],
    "$unionWith in $facet": [{"$facet": {"a": [{"$unionWith": "users"}]}}],
    "$out in $facet": [{"$facet": {"a": [{"$out": "people"}]}}],
    "$where in $match": [{"$match": {"$where": SLEEP}}],
    "$where in $match in $facet": [{"$facet": {"a": [{"$match": {"$or": [{"$where": SLEEP}]}}]}}],
    "$expr with $function in $match": [{"$match": {"$expr": FUNCTION}}],
    "$function in $project": [{"$project": {"a": FUNCTION}}],
    "$function in $addFields": [{"$addFields": {"a": {"$cond": [True, FUNCTION, 1]}}}],
    "$function in $set": [{"$set": {"a": [{"b": [FUNCTION]}]}}],
    "$function in $group": [{"$group": {"_id": FUNCTION}}],
    "$function in $sort's neighbour": [{"$sort": {"name": 1}}, {"$replaceWith": {"a": FUNCTION}}],
    "$function in $let": [{"$project": {"a": {"$let": {"vars": {"x": FUNCTION}, "in": "$$x"}}}}],
    "$function in $map": [{"$project": {"a": {"$map": {"input": [1], "in": FUNCTION}}}}],
    "$function in $switch": [{"$project": {"a": {"$switch": {"branches": [{"case": FUNCTION, "then": 1}]}}}}],
    "$accumulator": [{"$group": {"_id": None, "a": ACCUMULATOR}}],
    "$accumulator in $bucket": [{"$bucket": {"groupBy": "$a", "boundaries": [0, 1], "output": {"a": ACCUMULATOR}}}],
    "$currentOp": [{"$currentOp": {"allUsers": True}}],
    "$listSessions": [{"$listSessions": {}}],
    "$listLocalSessions": [{"$listLocalSessions": {}}],
    "$collStats": [{"$collStats": {"storageStats": {}}}],
    "$indexStats": [{"$indexStats": {}}],
    "$planCacheStats": [{"$planCacheStats": {}}],
    "$changeStream": [{"$changeStream": {}}],
    "$search": [{"$search": {"text": {"query": "x", "path": "name"}}}],
    "a stage nobody knows": [{"$evil": {}}],
    "a stage without its dollar": [{"match": {}}],
    "two stages in one": [{"$match": {}, "$out": "people"}],
    "an empty stage": [{}],
    "a stage that is a string": ["$out"],
    "a pipeline that is an object": {"$match": {}},
    "1,000 stages": [{"$match": {}}] * 1000,
    "a range of 2 billion": [{"$project": {"a": {"$range": [0, 2_000_000_000]}}}],
    "a field of the root": [{"$project": {"$where": 1}}],
    "a variable that is not there": [{"$project": {"a": "$$evil"}}],
    "who is asking": [{"$project": {"a": "$$USER_ROLES"}}],
    "an expression nobody knows": [{"$project": {"a": {"$evil": 1}}}],
    "a pattern that blows up": [{"$project": {"a": {"$regexMatch": {"input": "$name", "regex": "^(a+)+$"}}}}],
    "a pattern that is computed": [
        {"$project": {"a": {"$regexMatch": {"input": "$name", "regex": {"$concat": ["$name"]}}}}}
    ],
    "a limit below zero": [{"$limit": -1}],
    "a sample of 2 billion": [{"$sample": {"size": 2_000_000_000}}],
}

OPERATORS: Final[Sequence[Attack]] = (
    *(
        Attack(f"{method} by {name}", 400, "invalid-filter", f"/v1/people:{method}", body=as_json({"filter": value}))
        for name, value in _FILTERS.items()
        for method in ("query", "count")
    ),
    *(
        Attack(f"query with {name}", status, code, "/v1/people:query", body=as_json(members))
        for name, (members, status, code) in _QUERY_MEMBERS.items()
    ),
    *(
        Attack(f"aggregate {name}", 400, "invalid-pipeline", "/v1/people:aggregate", body=as_json({"pipeline": stages}))
        for name, stages in _STAGES.items()
    ),
    Attack("a wrapper that is damaged", 422, "invalid-document", "/v1/people:query",
           body=as_json({"filter": {"_id": {"$oid": "x"}}}), pointer="/filter/_id"),
    Attack("aggregate nothing", 422, "invalid-document", "/v1/people:aggregate", body=b"{}"),
    Attack("aggregate with options", 422, "invalid-document", "/v1/people:aggregate",
           body=as_json({"pipeline": [], "allowDiskUse": True})),
    Attack("aggregate without end", 400, "invalid-parameter", "/v1/people:aggregate",
           body=as_json({"pipeline": [], "limit": 100_000})),
    Attack("a pattern that blows up on a declared field", 400, "invalid-filter", "/v1/products:query",
           body=as_json({"filter": {"name": {"$regex": "^([a-z]+)*$"}}})),
    Attack("an operator where a declared field is read", 400, "invalid-filter", "/v1/products:query",
           body=as_json({"filter": {"price": {"$gt": {"$ne": 0}}}})),
    Attack("a date that is none where one is declared", 400, "invalid-filter", "/v1/orders:query",
           body=as_json({"filter": {"created_at": {"$gt": "yesterday"}}})),
)  # fmt: skip
