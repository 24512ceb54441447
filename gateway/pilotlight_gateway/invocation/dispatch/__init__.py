"""The way of an invocation: queue of its revision, environment, agent, and back.

`dispatcher` shows it in one function; `queue` decides who gets which environment, `environment`
is where an invocation leaves for the agent, `agent_events` brings log lines back.
"""
