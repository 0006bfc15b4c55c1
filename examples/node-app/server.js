import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { greeting } from './greeting.js';

export const server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${greeting(process.env.GREETING)}\n`);
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = Number(process.env.PORT ?? 8080);
  server.listen(port, () => console.log(`node-app: serving on port ${port}`));
  // The first process of a container ends only by signals that it listens to.
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => {
      server.close();
      server.closeAllConnections();
    });
}
