import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok } from '../lib/strake.ts';
import type { TestStore } from '../lib/store.ts';
import type { TestUser } from '../lib/user.ts';

const TOOLS =
  'cat cp echo env grep head hostname httpd id kill ls mkdir mount ps pwd rm sh sleep stty tail touch true tty wc yes';

const DOCKERFILE = `FROM scratch
COPY root /
COPY --chown=1000:1000 data /data
ENV NAME=image GREETING=hello
WORKDIR /www
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=200ms --timeout=2s --retries=2 CMD ["sh", "-c", "echo checked; ! [ -e /sick ]"]
STOPSIGNAL SIGUSR1
CMD ["sh", "-c", "trap 'echo stopped; exit 3' USR1; httpd -p 8080 -h /www; echo started; while :; do sleep 1; done"]
`;

/** Builds "box", a small image of busybox alone that serves a page, without running or fetching anything. */
export async function buildBox(store: TestStore, user?: TestUser): Promise<void> {
  const context = join(store.work, 'box');
  const root = join(context, 'root');
  for (const folder of ['bin', 'etc', 'www', 'home/web']) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(join(context, 'data'));
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const tool of TOOLS.split(' ')) symlinkSync('busybox', join(root, 'bin', tool));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1000:\nextra:x:1001:web\n');
  writeFileSync(join(root, 'www/index.html'), 'a page\n');
  writeFileSync(join(context, 'data/file'), 'of the image\n');
  writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
  await ok(['build', '-q', '-t', 'box', context], { root: store.root, user });
}
