import { moduleInfo, orderTree, type BuilderFacts } from '../../../frontend/buildpack/index.ts';
import type { Style } from '../print/style.ts';
import { indented, modulesText, orderData, orderText } from './module-text.ts';

export interface BuilderView {
  readonly facts: BuilderFacts;
  /** Mirrors that the user has set for run images. */
  readonly userMirrors: ReadonlyMap<string, readonly string[]>;
  readonly depth?: number | undefined;
}

const list = (words: readonly string[]): string => (words.length === 0 ? '(none)' : words.join(', '));

/** A builder for people, in pack's order. */
export function builderText(view: BuilderView, o: { style: Style; trusted: boolean }): string {
  const { facts } = view;
  const { bold } = o.style;
  const all = [...facts.buildpacks, ...facts.extensions];
  const parts: string[] = [];
  if (facts.description !== '') parts.push(`${bold('Description:')} ${facts.description}\n`);
  if (facts.createdBy.name !== '')
    parts.push(`${bold('Created By:')}\n  Name: ${facts.createdBy.name}\n  Version: ${facts.createdBy.version}\n`);
  parts.push(`${bold('Trusted:')} ${o.trusted ? 'Yes' : 'No'}\n`);
  if (facts.stack) {
    const mixins = facts.stack.mixins.map((mixin) => `    ${mixin}\n`).join('');
    parts.push(`${bold('Stack:')}\n  ID: ${facts.stack.id}\n${mixins === '' ? '' : `  Mixins:\n${mixins}`}`);
  }
  if (facts.lifecycle) {
    const { version, apis } = facts.lifecycle;
    const range = (title: string, { deprecated, supported }: typeof apis.buildpack): string =>
      `  ${title} APIs:\n    Deprecated: ${list(deprecated)}\n    Supported: ${list(supported)}\n`;
    parts.push(
      `${bold('Lifecycle:')}\n  Version: ${version}\n${range('Buildpack', apis.buildpack)}${range('Platform', apis.platform)}`,
    );
  }
  const images = runImages(view).map(
    ({ name, user_configured: own }) => `  ${name}${own ? '    (user-configured)' : ''}\n`,
  );
  parts.push(`${bold('Run Images:')}\n${images.length === 0 ? '  (none)\n' : images.join('')}`);
  parts.push(
    `${bold('Buildpacks:')}\n${facts.buildpacks.length === 0 ? '  (none)\n' : modulesText(facts.buildpacks, o)}`,
  );
  const order = orderTree(facts.order, { modules: all, depth: view.depth });
  parts.push(`${bold('Detection Order:')}\n${order.length === 0 ? '  (none)\n' : orderText(order)}`);
  if (facts.extensions.length > 0) parts.push(`${bold('Extensions:')}\n${modulesText(facts.extensions, o)}`);
  if (facts.orderExtensions.length > 0)
    parts.push(
      `${bold('Detection Order (Extensions):')}\n${orderText(orderTree(facts.orderExtensions, { modules: all }))}`,
    );
  for (const side of ['pre', 'post'] as const)
    if (facts.system[side].length > 0)
      parts.push(
        `${bold(`System Buildpacks (${side}):`)}\n${indented(facts.system[side].map(({ id, version, optional }) => `${id}${version === '' ? '' : `@${version}`}${optional ? ' (optional)' : ''}\n`).join(''))}`,
      );
  return parts.join('\n');
}

/** A builder for programs, in pack's shape. */
export function builderData(view: BuilderView): Record<string, unknown> {
  const { facts } = view;
  const all = [...facts.buildpacks, ...facts.extensions];
  return {
    description: facts.description === '' ? undefined : facts.description,
    created_by: facts.createdBy,
    stack: facts.stack && {
      id: facts.stack.id,
      mixins: facts.stack.mixins.length > 0 ? facts.stack.mixins : undefined,
    },
    lifecycle: facts.lifecycle && {
      version: facts.lifecycle.version,
      buildpack_apis: facts.lifecycle.apis.buildpack,
      platform_apis: facts.lifecycle.apis.platform,
    },
    run_images: runImages(view),
    buildpacks: facts.buildpacks.map((one) => moduleInfo(one)),
    detection_order: orderData(orderTree(facts.order, { modules: all, depth: view.depth })),
    extensions: facts.extensions.length > 0 ? facts.extensions.map((one) => moduleInfo(one)) : undefined,
    order_extensions:
      facts.orderExtensions.length > 0 ? orderData(orderTree(facts.orderExtensions, { modules: all })) : undefined,
    system:
      facts.system.pre.length + facts.system.post.length > 0
        ? {
            pre: facts.system.pre.map(({ id, version }) => ({ id, version })),
            post: facts.system.post.map(({ id, version }) => ({ id, version })),
          }
        : undefined,
  };
}

/** Run images with their mirrors; the user's own come first. */
function runImages({
  facts,
  userMirrors,
}: BuilderView): readonly { name: string; user_configured?: true | undefined }[] {
  return facts.runImages.flatMap(({ image, mirrors }) => [
    ...(userMirrors.get(image) ?? []).map((name) => ({ name, user_configured: true as const })),
    { name: image },
    ...mirrors.map((name) => ({ name })),
  ]);
}
