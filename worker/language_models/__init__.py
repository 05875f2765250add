"""Hosted language models, called by the agent for pipelines that may not talk to anybody.

Nothing here is imported unless the operator has configured an engine; each engine's SDK only if it is that one.
"""
