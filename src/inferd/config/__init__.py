"""The node's configuration: one schema, read from files, the environment and flags.

Stands beside storage and telemetry; takes its enumerations from the core, and nothing else.

    values    kinds of value a setting may have (sizes, URLs, secrets), each checking itself
    schema    every setting, its default, its environment names and its meaning
    server    the part of the schema about the way in
    remote    the part of the schema about other nodes reached over HTTP
    tables    the part of the schema that comes as lists of tables: backends, policy rules
    keys      the schema seen as a flat list of keys
    secrets   secrets by reference: `env:NAME`, `file:PATH`, `X_FILE`
    sources   one reader for each place a value may come from
    problems  what is wrong, said so that it can be put right
    faults    pydantic's errors in those words
    load      all sources in, one frozen `NodeConfig` out, with where each value came from
    show      what `inferd config show` prints
"""
