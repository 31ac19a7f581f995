// The tools are run as they are; see tests/backends/test_cli_real.py.
