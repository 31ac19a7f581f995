"""The models that come with inferd: one file an ability, plain values in and out.

Bad input raises ValueError; `weights.ModelDataMissing` says that set-up has not run. Everything
here blocks: call it through a `device.Device`.
"""
