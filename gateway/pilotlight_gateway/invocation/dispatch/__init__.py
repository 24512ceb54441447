"""The way of an invocation: queue of its revision, environment, agent, and back.

`dispatcher` shows it in one function; `queue` decides who gets which environment, `environment`
and `agent_connection` carry the bytes, `events` brings log lines back.
"""
