export const handler = async (event, context) => {
  console.warn("called");
  return context.tenantId ?? null;
};
