import { shortId, sizeText } from '../print/units.ts';
import { markup, type Markup } from './markup.ts';
import type { ImageFacts, ReportImage, ReportLayer } from './report-data.ts';
import { treemap } from './treemap.ts';

/** Width by height of the map of layers. */
const ASPECT = 3;

/** What came of the build for one platform. */
export function imageSection(image: ReportImage, o: { readonly at: number; readonly many: boolean }): Markup {
  const { facts, platform } = image;
  const id = `image-${o.at + 1}`;
  return markup`<section id="${id}">
    <h2>Image${o.many && ` for ${platform}`}${facts && markup` <span class="count">${sizeText(facts.size)}</span>`}</h2>
    <p class="dim id"><code>${image.id}</code></p>
    ${facts ? contents(facts, id) : markup`<p>It is not in the local store, so its layers are not told of here.</p>`}
  </section>`;
}

function contents(facts: ImageFacts, id: string): Markup {
  const { layers, processes, buildpacks, config, labels, components, sbomProblem } = facts;
  return markup`${layers.length > 0 && layerMap(layers, id)}
  ${
    processes.length > 0 &&
    markup`<h3>Processes</h3>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th>Type
              <th>Command
              <th>Of
          </thead>
          <tbody>
            ${processes.map(
              ({ type, command, isDefault, buildpack }) =>
                markup`<tr>
                  <td>${type}${isDefault && markup` <span class="tag">default</span>`}
                  <td><code>${command}</code>
                  <td>${buildpack}
                `,
            )}
          </tbody>
        </table>
      </div>`
  }
  ${
    buildpacks.length > 0 &&
    markup`<h3>Buildpacks</h3>
      <ul class="tags">
        ${buildpacks.map((one) => markup`<li>${one.id} <span class="dim">${one.version}</span></li>`)}
      </ul>`
  }
  ${
    config.length > 0 &&
    markup`<h3>Configuration</h3>
      <dl>
        ${config.map(
          ([name, value]) =>
            markup`<dt>${name}</dt>
              <dd><code>${value}</code></dd>`,
        )}
      </dl>`
  }
  ${
    labels.length > 0 &&
    markup`<h3>Labels <span class="count">${labels.length}</span></h3>
      <dl>
        ${labels.map(
          ([name, value]) =>
            markup`<dt>${name}</dt>
              <dd>${labelValue(value)}</dd>`,
        )}
      </dl>`
  }
  ${
    components.length > 0 &&
    markup`<h3>Components <span class="count">${components.length}</span></h3>
      <details class="table">
        <summary>Names, versions and licenses, by the SBOM of the image</summary>
        <div class="wide">
          <table>
            <thead>
              <tr>
                <th>Name
                <th>Version
                <th>Licenses
                <th>Of
            </thead>
            <tbody>
              ${components.map(
                ({ name, version, licenses, from }) =>
                  markup`<tr>
                    <td>${name}
                    <td>${version}
                    <td>${licenses}
                    <td class="dim">${from}
                  `,
              )}
            </tbody>
          </table>
        </div>
      </details>`
  }
  ${sbomProblem !== undefined && markup`<p>The SBOM of the image could not be read: ${sbomProblem}</p>`}`;
}

function layerMap(layers: readonly ReportLayer[], id: string): Markup {
  const cells = treemap(
    layers.map(({ size = 0 }) => size),
    ASPECT,
  );
  const total = layers.reduce((sum, { size = 0 }) => sum + size, 0);
  return markup`<h3>Layers <span class="count">${layers.length}</span></h3>
    ${
      layers.length > 1 &&
      markup`<div class="map" role="list" aria-label="Layers by size">
      ${layers.map((layer, at) => {
        const cell = cells[at];
        if (!cell || cell.width * cell.height === 0) return '';
        const size = sizeText(layer.size ?? 0);
        const label = `${sourceOf(layer)}, ${size}: ${layer.createdBy}`;
        const isSmall = cell.width < 7 || cell.height < 14;
        return markup`<a
          role="listitem"
          class="cell ${layer.base ? 'base' : `c${at % 6}`}${cell.width < 18 && ' thin'}"
          href="#${id}-layer-${at + 1}"
          title="${label}"
          aria-label="${label}"
          style="left:${percent(cell.x)};top:${percent(cell.y)};width:${percent(cell.width)};height:${percent(cell.height)}"
          >${!isSmall && markup`<b>${size}</b> <span>${layer.createdBy || 'base'}</span>`}</a
        >`;
      })}
    </div>`
    }
    <details class="table" open>
      <summary>All layers, the lowest first</summary>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th>#
              <th class="right">Size
              <th class="right">Share
              <th>Made by
              <th>What
              <th>diffID
          </thead>
          <tbody>
            ${layers.map(
              (layer, at) =>
                markup`<tr id="${id}-layer-${at + 1}">
                  <td>${at + 1}
                  <td class="right">${layer.size === undefined ? 'not known' : sizeText(layer.size)}
                  <td class="right">${total > 0 ? `${(((layer.size ?? 0) / total) * 100).toFixed(1)}%` : ''}
                  <td>
                    ${layer.step === undefined ? sourceOf(layer) : markup`<a href="#step-${layer.step}">step ${layer.step}</a>`}
                  <td class="what"><code>${layer.createdBy}</code>
                  <td><code title="${layer.diffId}">${shortId(layer.diffId)}</code>
                `,
            )}
          </tbody>
        </table>
      </div>
    </details>`;
}

function sourceOf({ step, base }: ReportLayer): string {
  if (step !== undefined) return `step ${step}`;
  return base ? 'the base' : 'the export';
}

function percent(value: number): string {
  return `${Math.round(value * 100) / 100}%`;
}

const LONG = 200;

function labelValue(value: string): Markup {
  if (value.length <= LONG) return markup`<code>${value}</code>`;
  let shown = value;
  if (value.startsWith('{') || value.startsWith('['))
    try {
      shown = JSON.stringify(JSON.parse(value), undefined, 2);
    } catch {
      // It only looks like JSON.
    }
  return markup`<details class="table">
    <summary>${value.length} characters</summary>
    <pre class="source">${shown}</pre>
  </details>`;
}
