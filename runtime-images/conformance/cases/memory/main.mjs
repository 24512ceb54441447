export const handler = async () => {
  const kept = [];
  for (;;) kept.push(Buffer.alloc(4_000_000, "x"));
};
