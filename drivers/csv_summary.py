#!/usr/bin/env python3
"""Summarises a table: {"csv": "a,b\\n1,x\\n2,y\\n"} gives, for each column, its type, how many values are
missing or distinct, the range and mean of numbers, and the most frequent values of text.

A driver in Python, kept warm ("mode": "warm"): the imports below are done before a call is there, and
nothing else is until stdin has been read. It is json.load(sys.stdin), json.dump(..., sys.stdout), words for people on sys.stderr,
exit status 2 for a payload that cannot be used. Standard library only, Python 3.8 or later.
"""

import collections
import csv
import io
import json
import math
import sys

TOP_VALUES = 5
DELIMITERS = ",;\t|"  # in order of preference where none occurs


def refuse(sentence):
    print("csv-summary: " + sentence, file=sys.stderr)
    sys.exit(2)


def read_payload():
    try:
        payload = json.loads(sys.stdin.buffer.read())
    except ValueError as error:  # UnicodeDecodeError is one
        refuse("the payload is not JSON: %s" % error)
    if not isinstance(payload, dict):
        refuse("the payload must be a JSON object")
    if not isinstance(payload.get("csv"), str):
        refuse('"csv" must be the table as a string')
    return payload


def read_rows(payload):
    """The table's rows, and the delimiter that separates them."""
    text = payload["csv"]
    delimiter = payload.get("delimiter")
    if delimiter is None:
        first_line = text.partition("\n")[0]
        delimiter = max(DELIMITERS, key=first_line.count)
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        refuse('"delimiter" must be one character')
    csv.field_size_limit(sys.maxsize)
    try:
        # newline="" leaves line ends inside quoted fields alone, as the csv module asks.
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except csv.Error as error:
        refuse("the table cannot be read: %s" % error)
    return rows, delimiter


def number_from(text):
    """The finite number that the text is, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def summarise_column(name, values):
    present = [value.strip() for value in values if value.strip() != ""]
    summary = {
        "name": name,
        "type": "empty",
        "present": len(present),
        "missing": len(values) - len(present),
        "distinct": len(set(present)),
    }
    numbers = [number_from(value) for value in present]
    if present and all(number is not None for number in numbers):
        summary["type"] = "number"
        summary["min"] = min(numbers)
        summary["max"] = max(numbers)
        summary["sum"] = math.fsum(numbers)
        summary["mean"] = math.fsum(numbers) / len(numbers)
    elif present:
        summary["type"] = "text"
        common = collections.Counter(present).most_common(TOP_VALUES)
        summary["top"] = [{"value": value, "count": count} for value, count in common]
    return summary


def main():
    payload = read_payload()
    rows, delimiter = read_rows(payload)
    has_header = payload.get("header", True)
    if not isinstance(has_header, bool):
        refuse('"header" must be true or false')
    width = max((len(row) for row in rows), default=0)
    header = rows.pop(0) if rows and has_header else []
    names = [header[i] if i < len(header) else "column_%d" % (i + 1) for i in range(width)]
    ragged = sum(1 for row in rows if len(row) != width)
    if ragged:
        print("csv-summary: %d rows have fewer fields than the widest" % ragged, file=sys.stderr)
    columns = [
        summarise_column(name, [row[i] if i < len(row) else "" for row in rows])
        for i, name in enumerate(names)
    ]
    result = {"rows": len(rows), "ragged_rows": ragged, "delimiter": delimiter, "columns": columns}
    json.dump(result, sys.stdout, ensure_ascii=True, allow_nan=False)
    print()


main()
