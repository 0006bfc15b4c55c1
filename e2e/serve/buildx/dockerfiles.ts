/** The Dockerfiles that lines build, by name ('' is the context's own); a name with an extension is a file beside them. */
export function dockerfiles(o: {
  readonly registry: string;
  readonly git: string;
  readonly web: string;
  readonly commit: string;
  readonly checksum: string;
}): Readonly<Record<string, string>> {
  const from = `FROM ${o.registry}/base:1`;
  const file = (...lines: readonly string[]): string => `${lines.join('\n')}\n`;
  return {
    '': file(from, 'ARG X=1', 'COPY a.txt sub /app/', 'RUN echo "x is $X" > /x', 'LABEL a=b', 'USER root'),
    secret: file(from, 'RUN --mount=type=secret,id=s cat /run/secrets/s > /copied'),
    'secret-env': file(from, 'RUN --mount=type=secret,id=s,env=TOKEN echo "$TOKEN" > /copied'),
    'secret-required': file(from, 'RUN echo before', 'RUN --mount=type=secret,id=nobody,required=true echo never'),
    ssh: file(from, 'RUN --mount=type=ssh ssh-add -l > /keys'),
    'ssh-required': file(from, 'RUN --mount=type=ssh,id=nobody,required=true echo never'),
    stages: file(
      'ARG X=1',
      `${from} AS first`,
      'ARG X',
      'RUN echo first $X > /f',
      'FROM first AS second',
      'RUN echo second > /s',
      from,
      'COPY --from=second /s /f /',
    ),
    old: file(`FROM ${o.registry}/old:7`, 'COPY a.txt /'),
    'deny.json': policyOf({ action: 'DENY', selector: { identifier: 'docker-image://*' } }),
    'convert.json': policyOf({
      action: 'CONVERT',
      selector: { identifier: `docker-image://${o.registry}/old:*` },
      updates: { identifier: `docker-image://${o.registry}/base:1` },
    }),
    named: file('FROM app', 'COPY --from=other o.txt /'),
    layout: file('FROM laid', 'RUN echo on it > /on'),
    web: file('FROM scratch', 'COPY --from=web fetched.txt /'),
    fromgit: file('FROM scratch', 'COPY --from=repo / /'),
    bad: file(`from ${o.registry}/base:1 as A`, 'RUN echo $UNDEF', 'MAINTAINER me'),
    'bad-error': file('# check=error=true', `from ${o.registry}/base:1`, 'MAINTAINER me'),
    outlined: file(
      `# says what it is`,
      'ARG GLOBAL=1',
      `${from} AS base`,
      '# WHO is greeted',
      'ARG WHO=world',
      'RUN --mount=type=secret,id=needed,required --mount=type=cache,id=kept,target=/c echo $WHO',
      '# release is what is shipped',
      'FROM base AS release',
      'RUN --mount=type=ssh,id=key echo $GLOBAL',
    ),
    platform: file('FROM scratch', 'ARG TARGETARCH', 'COPY a.txt /$TARGETARCH.txt'),
    ran: file(from, 'ARG TARGETPLATFORM', 'RUN echo $TARGETPLATFORM > /p'),
    fail: file(from, '', 'RUN echo before', 'RUN echo now && exit 3'),
    'fail-heredoc': file(from, 'RUN <<EOF', 'echo one', 'exit 4', 'EOF', 'RUN echo never'),
    'fail-program': file(from, 'RUN ["/no/such/program"]'),
    'fail-user': file(from, 'USER nobody-of-that-name', 'RUN id'),
    parse: file(from, 'RUNN echo'),
    'parse-flag': file(from, 'COPY --fromm=x a /'),
    'parse-arguments': file(from, 'COPY a.txt'),
    missing: file(from, 'COPY nothere /x'),
    'missing-stage': file(from, 'COPY --from=nothere /x /x'),
    'missing-base': `FROM ${o.registry}/none:1\n`,
    ignored: file(from, 'COPY left-out.log /'),
    'no-from': file('RUN echo'),
    circle: file('FROM two AS one', 'COPY --from=one / /', 'FROM one AS two'),
    empty: '',
    'wrong-checksum': file('FROM scratch', `ADD --checksum=sha256:${'0'.repeat(64)} ${o.web}/fetched.txt /`),
    'not-there': file('FROM scratch', `ADD ${o.web}/absent /`),
    labels: file(
      from,
      'LABEL in=file',
      'ENV A=b',
      'EXPOSE 80/tcp',
      'VOLUME /v',
      'STOPSIGNAL 9',
      'HEALTHCHECK --interval=5s CMD true',
      'ONBUILD RUN echo',
      'SHELL ["/bin/sh","-ec"]',
      'ENTRYPOINT ["sh"]',
    ),
    nocache: file(
      `${from} AS one`,
      'RUN echo one > /one',
      `${from} AS two`,
      'RUN echo two > /two',
      'FROM scratch',
      'COPY --from=one /one /',
      'COPY --from=two /two /',
    ),
    limits: file(
      from,
      'RUN df -k /dev/shm | sed -n 2p | { read a b c; echo $b; } > /shm; ulimit -n > /files; grep special /etc/hosts > /hosts; true',
    ),
    'network-none': file(from, 'RUN --network=none ls /sys/class/net > /net'),
    'network-host': file(from, `RUN --network=host wget -q -O /fetched ${o.web}/fetched.txt`),
    'network-plain': file(from, `RUN wget -q -O /fetched ${o.web}/fetched.txt`),
    cgroup: file(from, 'RUN grep -c . /proc/self/cgroup > /dev/null && echo ran > /ran'),
    heredocs: file(
      from,
      'COPY <<one.txt <<"two.txt" /h/',
      'one $PATH',
      'one.txt',
      'two $PATH',
      'two.txt',
      'RUN <<EOF',
      'echo a > /h/a',
      'echo b > /h/b',
      'EOF',
      'RUN <<EOF cat > /h/c',
      'from a pipe',
      'EOF',
    ),
    copies: file(
      from,
      'COPY --link a.txt /linked/',
      'COPY --chmod=0741 --chown=user:1000 a.txt sub /owned/',
      'COPY --chmod=u=rwX,go=rX sub /said/',
      'COPY --exclude=*.txt --exclude=deep . /some/',
    ),
    parents: file('FROM scratch', 'COPY --parents sub/./deep/c.txt sub/b.txt /'),
    adds: file(
      'FROM scratch',
      `ADD --checksum=${o.checksum} --chmod=0600 ${o.web}/fetched.txt /f/`,
      `ADD ${o.web}/context.tar.gz /packed/`,
      'ADD a.txt sub /plain/',
      `ADD ${o.git}/repo.git#v1 /tagged`,
    ),
    unpacks: file('FROM scratch', `ADD --unpack=true ${o.web}/context.tar.gz /unpacked/`),
    'git-folder': file(
      from,
      `ADD --keep-git-dir=true ${o.git}/repo.git#${o.commit} /kept`,
      // What git leaves in the folder beside what it is about differs (docs/docker-compatibility.md).
      'RUN cat /kept/.git/HEAD > /head && test -d /kept/.git/objects && rm -r /kept/.git',
    ),
    'git-checksum': file('FROM scratch', `ADD --checksum=${o.commit} ${o.git}/repo.git#main:folder /at`),
    mounts: file(
      `${from} AS tools`,
      'RUN echo tool > /tool',
      from,
      'RUN --mount=type=cache,id=mounts,target=/cache,mode=0750,uid=1000,gid=1000 stat -c "%a %u %g" /cache > /m-cache && echo kept > /cache/k',
      'RUN --mount=type=cache,id=mounts,target=/cache,mode=0750,uid=1000,gid=1000 cat /cache/k > /m-kept',
      'RUN --mount=type=bind,target=/ctx --mount=type=bind,from=tools,source=/tool,target=/tool cat /ctx/a.txt /tool > /m-bind',
      'RUN --mount=type=bind,target=/ctx,rw echo gone > /ctx/new && ls /ctx > /m-rw',
      'RUN --mount=type=bind,target=/ctx echo x > /ctx/new || echo read-only > /m-ro',
      'RUN --mount=type=tmpfs,target=/t,size=1m grep " /t " /proc/mounts | sed "s/ .*//" > /m-tmpfs && echo x > /t/x',
      'RUN --mount=type=secret,id=s,target=/where,mode=0440,gid=1000 stat -c "%a %u %g" /where > /m-secret && cat /where > /m-said',
      'RUN --mount=type=ssh,target=/agent,mode=0666 stat -c "%a" /agent > /m-ssh && echo $SSH_AUTH_SOCK > /m-sock',
      'RUN --mount=type=secret,id=absent cat /run/secrets/absent 2> /dev/null || echo none > /m-absent',
      'RUN ls / > /m-left',
    ),
    'bake.hcl': `
variable "WORD" { default = "word" }
group "default" { targets = ["a", "b", "many"] }
group "bad" { targets = ["b", "fails"] }
target "below" {
  context = "HOST/context"
  args = { X = WORD }
}
target "a" {
  context = "HOST/context"
  contexts = { below = "target:below", other = "HOST/other" }
  dockerfile-inline = "FROM below\\nCOPY --from=other o.txt /\\nRUN cat /x > /a"
  output = ["type=local,dest=OUT/bake-a"]
}
target "b" {
  context = "HOST/context"
  dockerfile = "HOST/stages.Dockerfile"
  target = "second"
  labels = { "of" = "bake" }
  output = ["type=oci,dest=OUT/bake-b.tar"]
  attest = ["type=provenance,disabled=true"]
}
target "many" {
  name = "many-\${n}"
  matrix = { n = ["one", "two"] }
  inherits = ["b"]
  args = { X = n }
  output = ["type=local,dest=OUT/bake-\${n}"]
}
target "fails" {
  context = "HOST/context"
  dockerfile = "HOST/fail.Dockerfile"
}
`,
    scanner: file(
      from,
      `ENTRYPOINT ["/bin/sh", "-c", "echo '{\\"_type\\":\\"https://in-toto.io/Statement/v0.1\\",\\"predicateType\\":\\"https://spdx.dev/Document\\",\\"predicate\\":{\\"SPDXID\\":\\"SPDXRef-DOCUMENT\\",\\"spdxVersion\\":\\"SPDX-2.3\\",\\"name\\":\\"scanned\\"}}' > $BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"]`,
    ),
  };
}

/** A source policy of one rule. */
function policyOf(rule: object): string {
  return JSON.stringify({ version: 1, rules: [rule] });
}
