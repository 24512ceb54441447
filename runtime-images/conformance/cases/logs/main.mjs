export const handler = async () => {
  process.stdout.write("printed\n");
  console.debug("for developers");
  console.warn("two\nlines");
  console.error("broken: %s", "cup");
};
