"""From a `.gitlab-ci.yml` to the jobs that may run now. Pure: no file, clock or socket of its own.

text ─ yaml ─► nodes ─ include, extends, reference ─► merged nodes
     ─ reader ─► Config ─ evaluate ─► Pipeline ─ schedule ─► what may run now
"""
