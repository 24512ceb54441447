"""Sums a CSV file of sales: {"csv": "…"} with the columns city, product, units and price."""

import csv
import io
from collections import defaultdict
from decimal import Decimal


def handler(event, _context):
    """Return the revenue of every city, the best first, and the product that sold best."""
    revenue = defaultdict(Decimal)
    units = defaultdict(int)
    rows = list(csv.DictReader(io.StringIO(event["csv"])))
    for row in rows:
        revenue[row["city"]] += int(row["units"]) * Decimal(row["price"])
        units[row["product"]] += int(row["units"])
    cities = sorted(revenue.items(), key=lambda item: item[1], reverse=True)
    print(f"{len(rows)} rows, {len(cities)} cities")
    return {
        "rows": len(rows),
        "revenue": {city: str(total) for city, total in cities},
        "bestseller": max(units, key=units.get),
    }
