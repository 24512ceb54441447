"""What agent and platform must agree on, said once; standard library only.

`protocol` has the names: paths, headers, states, and what an agent answers when it runs nothing.
`specialisation` and `report` are the documents that cross, `events` what an agent tells unasked,
`frames` how it speaks with a managed runtime, `archive` what a deployment package may be. Runtime
images ship this package beside the agent.
"""
