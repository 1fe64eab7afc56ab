"""The process that keeps models warm and works the job queue: `python -m engine.host --data FOLDER [--url URL] [--device auto|cpu|cuda]`.

It talks through the store (jobs in, results out) and through its pipes. It never shows anything and never chooses which model scores what.
A process of its own, `drawing.py`, draws fictional images for the window; it neither scores nor knows the store.

**Events**: one JSON object a line on standard output, each with `event` and `time` (seconds since 1970):

| event | further fields | when |
|---|---|---|
| `started` | `worker`, `pid`, `folder`, `device` (as asked for) | the folder is ours; lost jobs are queued again |
| `device` | `device` ("cpu", "cuda:0"), `name` | at the first model, and again when memory ran out and the CPU goes on |
| `model` | `id`, `hash`, `title`, `state` ("loading", "ready", "rejected"), `error` | a model is loaded, or cannot be |
| `progress` | `queued`, `running`, `done`, `failed`, `not_scored` (jobs), `studies_a_minute` | at most once a second while working, and on idle |
| `done` | `study_uid`, `series_key`, `bundle_id`, `bundle_hash`, `percentile`, `flagged` | a result is in the store |
| `failed` | as `done`, and `state` ("queued": once more, "failed", "not scored"), `error`, `kind` | a series was not scored: why, in words |
| `paused` | `error`, `seconds` | the store cannot be written to (disk full, ...): nothing is lost, tried again after `seconds` |
| `idle` | | nothing is left that could be claimed; once each time the queue runs empty |
| `stopped` | `reason`, `status` | the last line, if the process could still write one |

Lines on standard error are a log for support, not part of the protocol.

**Commands**: one JSON object a line on standard input. `{"command": "stop"}` ends the process; unknown ones are ignored with a line in the log.
Priorities are not commands: `Store.bring_forward` and `Store.enqueue` change them, and the host looks at the queue again within a fifth
of a second, laying back what it has not begun.

**Ends** with status 0 on `stop`, SIGTERM, SIGINT, or when standard input closes (the parent died): claimed jobs that are not finished
go back to the queue as they were. Status 4: another host works on this folder. Status 5: the store cannot be opened. Status 6: one series took
longer than `--stall` seconds (counted against its jobs like a crash). Anything else is a crash: start it again.

**Crashes**: on start, the jobs of hosts that died are queued again. Jobs that were in hand when a host died are then taken one at a time, after
all others, so that the one which kills the host is found; after three dead hosts it is failed, and the rest is scored.
"""
