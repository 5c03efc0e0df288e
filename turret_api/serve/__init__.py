"""Serving the API: uvicorn on a port, several processes on one, logs, metrics, and the routes that operate it.

The way of an event is not here (`turret_api.collector`), nor are the read API and the dashboard. `server` runs an
application until a signal ends it, `workers` runs several such processes on one socket, `routes` tells load balancers
and Prometheus how this one does, `exposition` puts the figures of all together, `log` writes one JSON object a line.
"""
