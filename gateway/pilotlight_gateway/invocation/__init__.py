"""The one home of invocations: what is meant, how it runs, where it runs."""
