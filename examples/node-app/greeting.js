/** What every request is answered with. */
export function greeting(words = 'Hello from Node.js, in an image without a Dockerfile.') {
  return words;
}
