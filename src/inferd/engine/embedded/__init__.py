"""The models that come with inferd: one file an ability, plain values in and out.

Bad input raises InvalidRequest, too much PayloadTooLarge; `weights.ModelDataMissing` says that
set-up has not run. Everything here blocks: call it through a `device.Device`, whose threads take
what returns `steps.Steps` in turn.
"""
