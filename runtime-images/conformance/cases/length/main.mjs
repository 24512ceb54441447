export const handler = async (event) => event.length;
