"""What this machine has that runs models: looked for at start and every minute, never waited for.

`servers` asks the usual local ports, `hosted` the APIs whose keys are set, `programs` looks for
command-line tools, `hardware` for accelerators; `discoverer` puts it together and keeps looking.
"""
