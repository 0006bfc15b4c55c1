import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_EPOCH, baseHistory } from './base-history.ts';
import { runStrake } from './build-with-strake.ts';

const TOOLS =
  'awk basename cat chgrp chmod chown cp cut date dd df dirname echo env expr false find grep gunzip gzip head hostname id ln ls md5sum mkdir mkfifo mknod mktemp mount mv nc od printenv printf ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat tail tar tee test touch tr true truncate umount uname uniq wc which whoami xargs';

const PLAIN = 'FROM scratch\nCOPY root /\nCMD ["sh"]\n';

const RICH = `FROM base
MAINTAINER somebody
ENV FROM_BASE=yes PATH=/opt/bin:/usr/bin:/bin LIST=a:b
LABEL from.base=yes shared=base
EXPOSE 80 53/udp
VOLUME /data
WORKDIR /work
USER web
ENTRYPOINT ["/entry"]
CMD ["one", "two"]
SHELL ["/bin/sh", "-ec"]
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD check
`;

const TRIGGERS = `FROM base
ENV WHO=trigger
ONBUILD ARG MORE=default
ONBUILD COPY a.txt /triggered/
ONBUILD RUN echo $WHO $MORE >/triggered/run
ONBUILD ENV TRIGGERED=yes
ONBUILD WORKDIR /triggered
`;

/** Images that cases are built on, by name: the context of each. */
export const BASES: readonly { readonly name: string; readonly platforms: readonly string[] }[] = [
  { name: 'base', platforms: ['linux/amd64'] },
  { name: 'arm', platforms: ['linux/arm64'] },
  { name: 'rich', platforms: ['linux/amd64'] },
  { name: 'triggers', platforms: ['linux/amd64'] },
];

/** Why there can be no bases here, or undefined. */
export const noBases: string | undefined = existsSync('/bin/busybox') ? undefined : 'busybox-static is not installed';

/** Builds the bases into a store. They are the same bytes wherever the same busybox is. */
export async function makeBases(o: { root: string; work: string }): Promise<void> {
  const context = join(o.work, 'bases');
  const root = join(context, 'root');
  for (const folder of ['bin', 'etc', 'tmp', 'root', 'home/web', 'srv/old', 'usr/bin', 'dev', 'proc', 'sys'])
    mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const tool of TOOLS.split(' ')) symlinkSync('busybox', join(root, 'bin', tool));
  const files = {
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\nother:x:1002:1003::/:/bin/sh\n',
    'etc/group': 'root:x:0:\nweb:x:1001:\nextra:x:2000:web\n',
    'srv/old/one': 'one\n',
    'srv/old/two': 'two\n',
    'srv/file': 'of the base\n',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
  symlinkSync('srv', join(root, 'linked'));
  symlinkSync('/srv/old', join(root, 'absolute'));
  const dockerfiles = { base: PLAIN, arm: PLAIN, rich: RICH, triggers: TRIGGERS };
  for (const { name, platforms } of BASES)
    for (const platform of platforms) {
      const file = join(context, `${name}.dockerfile`);
      writeFileSync(file, dockerfiles[name as keyof typeof dockerfiles]);
      const { code, stderr } = await runStrake(
        [
          'build',
          '-q',
          '--platform',
          platform,
          '--build-arg',
          `SOURCE_DATE_EPOCH=${BASE_EPOCH}`,
          '-f',
          file,
          '-o',
          `type=image,name=${name},rewrite-timestamp=true`,
          context,
        ],
        { root: o.root, cwd: context },
      );
      if (code !== 0) throw new Error(`base "${name}" could not be built: ${stderr}`);
      const history = await runStrake(['history', '--no-trunc', '--format', 'json', name], {
        root: o.root,
        cwd: context,
      });
      for (const { createdBy } of JSON.parse(history.stdout) as { createdBy: string }[]) baseHistory.add(createdBy);
    }
  const { code, stderr } = await runStrake(['copy', '-q', 'store:rich', `oci:${layoutOf(o.work)}:latest`], {
    root: o.root,
    cwd: context,
  });
  if (code !== 0) throw new Error(`"rich" could not be written as a layout: ${stderr}`);
}

/** Where "rich" lies as an OCI layout: `@LAYOUT@`. */
export function layoutOf(work: string): string {
  return join(work, 'layout');
}
