/** `/README.md`. Its commands work in every tree, whatever services there are. */
export const README = `# Acheron: services as files

Each machine that offers services is a directory in nodes/, each service a directory in services/ of its
machine. Writing JSON to a service's control/invoke.json runs it; the answer is in result.json. Three commands
to try, from this directory:

    cat session.json
    cat nodes/INDEX.tsv
    cat "nodes/$(cut -f3 nodes/INDEX.tsv | grep -m1 control | cut -d/ -f1-3)/README.md"

They say who you are here; what services there are, a line each (its id, what it is for, the path to write
to); and how the first of them is called. Where a write fails, last_error.txt beside result.json says what
happened and what to do. AGENTS.md has all that a program needs; events.ndjson lists what happened lately.
`;

/** `/AGENTS.md`: all that an agent needs, under 400 words. */
export const AGENTS = `# For agents

Services are directories. Writing JSON to a service's control/invoke.json runs it. Reading never runs anything
and never waits, so look around freely.

    cat session.json       # who you are, and what you may do
    cat nodes/INDEX.tsv    # a line for each service: id, what it is for, the path to write to

Then, in the directory of the service, read README.md (how to call it), TEMPLATE.json (a request that works),
SCHEMA.json (what a request may hold). What you are not shown you may not use; it has no other name.

## Call

In the directory of the service echo, for instance (its request may hold anything):

    echo '{"_key":"step-1","text":"hi"}' > control/invoke.json && cat jobs/by-key/step-1/result.json || cat last_error.txt

- Look at the exit status of the write: it is the outcome. Where it is not 0, last_error.txt says what happened
  and what to do.
- The _key is a name of your choice, a new one for each call. If you do not know whether a call went through,
  send the same request with the same _key again: it runs once, and you get its outcome. Another request under
  a used _key is refused (EEXIST).
- Your own reply is jobs/by-key/KEY/result.json, or what the descriptor that wrote the request reads:
  \`exec 3<>control/invoke.json; echo '{}' >&3; cat <&3; exec 3>&-\`. result.json is the last success of all who
  call as you do: perhaps not yours.
- jobs/ has each call of yours: its request, status.json, result, and stdout and stderr of what ran.
- Where you can only write files: one called calls/NAME.json is a call with that key, and NAME.result.json or
  NAME.error.txt appears beside it.

## Slow work

    echo '{"_key":"step-2","text":"hi"}' > control/submit.json    # returns at once
    echo 60 > jobs/by-key/step-2/wait                             # returns when it has ended
    cat jobs/by-key/step-2/result.json

wait fails (ETIMEDOUT) when so many seconds are over; the call runs on: write again. Do not use tail -f, which
never ends: cat jobs/by-key/KEY/stderr. Writing to cancel beside it ends the call.

## When it fails

EINVAL: correct the request. EACCES, EPERM: it is not for you. EBUSY: wait as long as last_error.txt says. EIO:
it failed, see stderr. ETIMEDOUT: ask for less. EHOSTDOWN: its machine is away, try later.
`;
