export const handler = async () => {
  const answer = {};
  answer.self = answer;
  return answer;
};
