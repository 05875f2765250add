"""What a deployment costs in a month: a dated table of prices, what is used of each, and the bill.

``prices.yaml`` is the table; ``usage`` says what a deployment uses while idle and for a workload; ``bill`` multiplies;
``report`` writes it for a terminal. Nothing here asks Google.
"""
