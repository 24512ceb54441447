// Writes an order's receipt in the buyer's language:
// {"locale": "de-DE", "currency": "EUR", "day": "2026-11-28", "items": [{"name": "…", "price": 1.5}]}.

export const handler = async ({ locale, currency, day, items }) => {
  const money = new Intl.NumberFormat(locale, { style: "currency", currency });
  const date = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });
  const cents = items.reduce((sum, { price }) => sum + Math.round(price * 100), 0);
  console.log("a receipt of", items.length, "items");
  return {
    date: date.format(new Date(day)),
    lines: items.map(({ name, price }) => `${name}: ${money.format(price)}`),
    total: money.format(cents / 100),
  };
};
