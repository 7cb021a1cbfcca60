/**
 * StateFun's legacy root form: one document with `version: "3.0"` and everything below `module.spec`. It becomes the
 * same components as the documents of today; the kind and the id then stand under `meta`.
 */
import { nearest } from "./finding";
import type { Place } from "./place";
import { EGRESS, ENDPOINT_V1, INGRESS, type Kind, LEGACY_SHAPES, REFUSED_KINDS, type Shape } from "./vocabulary";

export interface Component {
  readonly kind: Kind;
  readonly spec: Place;
  /** Where the id stands when not under `spec`. */
  readonly id?: Place | undefined;
}

const LEGACY_KINDS: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  endpoint: { http: ENDPOINT_V1 },
  ingress: { "io.statefun.kafka/ingress": INGRESS },
  egress: { "io.statefun.kafka/egress": EGRESS },
};

export function isLegacy(root: Place): boolean {
  return root.peek("version") !== undefined || root.peek("module") !== undefined;
}

export function readLegacy(root: Place): readonly Component[] {
  const document = root.fields(LEGACY_SHAPES.document);
  const version = document?.need("version", '"3.0"')?.text();
  if (document === undefined || version === undefined) return [];
  if (version !== "3.0") {
    document.at("version").fail("is a format version that is not read here", {
      value: version,
      expected: '"3.0", or documents of kind and spec without a version',
    });
    return [];
  }
  const module = document.need("module", "a map of meta, spec")?.fields(LEGACY_SHAPES.module);
  module?.take("meta")?.fields(LEGACY_SHAPES.moduleMeta)?.take("type")?.choice(["remote"]);
  const spec = module?.need("spec", "a map of endpoints, ingresses, egresses")?.fields(LEGACY_SHAPES.moduleSpec);
  const functions = spec?.take("functions");
  if (functions !== undefined && !functions.empty) {
    functions.fail("is the form of StateFun 2", { expected: "endpoints, which say which functions they serve" });
  }
  return [
    ...readComponents(spec?.take("endpoints"), "endpoint", "kind"),
    ...readComponents(spec?.take("ingresses"), "ingress", "type"),
    ...readComponents(spec?.take("egresses"), "egress", "type"),
  ];
}

function readComponents(
  list: Place | undefined,
  noun: "endpoint" | "ingress" | "egress",
  kindName: "kind" | "type",
): readonly Component[] {
  const items = list?.items(`a list of ${noun}: {meta, spec}`) ?? [];
  return items.flatMap((item) => {
    const wrapped = item.fields(shape(noun))?.need(noun, "a map of meta, spec")?.fields(shape("meta", "spec"));
    const meta = wrapped?.need("meta", `a map of ${kindName}, id`)?.fields(shape(kindName, "id"));
    const kindPlace = meta?.need(kindName, Object.keys(LEGACY_KINDS[noun] ?? {}).join(", "));
    const spec = wrapped?.need("spec", "the options of this component");
    const kind = kindPlace === undefined ? undefined : readKind(kindPlace, noun);
    if (kind === undefined || spec === undefined) return [];
    return [{ kind, spec, id: noun === "endpoint" ? undefined : meta?.need("id", "namespace/name") }];
  });
}

function readKind(place: Place, noun: string): Kind | undefined {
  const known = LEGACY_KINDS[noun] ?? {};
  const text = place.text(Object.keys(known).join(", "));
  if (text === undefined) return undefined;
  const modern = known[text];
  if (modern !== undefined) return modern;
  const refused = REFUSED_KINDS[text.replace("kinesis/", "kinesis.v1/")];
  return place.fail(refused ?? "is not a known kind", {
    value: text,
    expected: Object.keys(known).join(", "),
    nearest: refused === undefined ? nearest(text, Object.keys(known)) : undefined,
  });
}

function shape<const Name extends string>(...names: Name[]): Shape<Name> {
  return { section: "Legacy form", prefix: "", names };
}
