"""Faults done to really served processes, each with the promise that it must not break: `make torture`.

`python -m tests.torture --list` names the rows. One file per family holds them; `rows` is the register,
`run` the bookkeeping, `served` the processes, `traffic` the clients, `stock` the plain BentoML service that
the same is done to, `report` the two documents. Everything is sent to loopback only, and every row is
bounded in count and in time.
"""
