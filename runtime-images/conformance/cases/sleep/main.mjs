export const handler = async (event) => {
  console.log("going to sleep");
  await new Promise((resolve) => setTimeout(resolve, event * 1000));
  return "awake";
};
