#!/usr/bin/env python3
"""{"below": n} -> {"primes": […]}, and how far it is while it looks for them."""
import json
import sys

below = json.load(sys.stdin)["below"]
primes = []
for number in range(2, below):
    if all(number % prime for prime in primes):
        primes.append(number)
    if number % 10 == 0:
        print("::progress " + json.dumps({"done": number, "total": below}), file=sys.stderr, flush=True)
json.dump({"primes": primes}, sys.stdout)
