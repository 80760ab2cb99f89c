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

Services are directories; writing JSON to a service's control/invoke.json runs it. Reading runs nothing and never waits.

    grep -i '' nodes/INDEX.tsv    # '' or a word: id, what it is for, the path to write to, from nodes/ on

README.md in the service's directory says how it is called, SCHEMA.json what a request may hold. What you are not shown
you may not use. In the directory of echo, for instance:

    { echo '{"text":"hi"}' >&3 && cat <&3; } 3<>control/invoke.json || cat last_error.txt

The exit status of the write is the outcome; what is printed is your own reply, or what to do: EINVAL: correct the request;
EACCES, EPERM: not for you; EBUSY: wait as it says; EIO: it failed, see jobs/latest/stderr; ETIMEDOUT: ask for less;
EHOSTDOWN: its machine is away.

## Slow, or to be sent again

A "_key" of your choice, new for each request, names a call. The same request with the same key runs once, however often it
is sent.

    echo '{"_key":"k1","text":"hi"}' > control/submit.json    # returns at once
    echo 60 > jobs/by-key/k1/wait && cat jobs/by-key/k1/result.json

wait fails (ETIMEDOUT) when so many seconds are over; the call runs on: write again. status.json and stderr are beside it;
writing to cancel ends it. Do not use tail -f, which never ends.

Where you can only write files: calls/NAME.json is a call, and NAME.result.json or NAME.error.txt appears beside it.
`;
