"""The incident as a calculation: a job's log on its way from an engine to its reader, on virtual
time. Pure.

Nothing here knows which log is lost. A job writes (job.py), two TCP endpoints carry it (tcp.py,
with keepalive.py and retransmission.py), a firewall between them forgets (firewall.py), a client
behaves as clients do (clients.py), a server keeps what it is sent (server.py); simulation.py lets
them meet. What must come together for a log to be lost follows from all results (conditions.py).
Times are whole milliseconds, so that timers compare exactly.
"""
