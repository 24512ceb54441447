class ShopError extends Error {
  name = "ShopError";
}

export const handler = async (event) => {
  console.log("called with", event);
  if (event !== null) throw new ShopError(event);
  return "fine";
};
