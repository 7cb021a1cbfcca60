/** Small modules for the tests of the configuration: a good one, and ways to spoil it. */
import { findingText } from "../../src/config/finding";
import { type LoadedModule, type LoadOptions, loadModule } from "../../src/config/module";
import type { Environment } from "../../src/config/placeholder";

export const ENDPOINT = `kind: io.statefun.endpoints.v2/http
spec:
  functions: shop/*
  urlPathTemplate: http://localhost:8000/{function.name}
`;

export const INGRESS = `kind: io.statefun.kafka.v1/ingress
spec:
  id: shop/orders
  address: kafka:9092
  consumerGroupId: shop
  topics:
    - topic: orders
      valueType: shop/order
      targets: [shop/cart]
`;

export const EGRESS = `kind: io.statefun.kafka.v1/egress
spec:
  id: shop/receipts
  address: kafka:9092
`;

export const APPLICATION = `kind: io.dirigo.v1/application
spec:
  name: fraud
  ingresses: [shop/orders]
`;

export const FUNCTION = `kind: io.dirigo.v1/function
spec:
  functions: shop/cart
  mode: dual
`;

/** Lines added to the options of a component. */
export function and(component: string, ...lines: readonly string[]): string {
  return `${component}${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** A component without one of its options (and what is indented below it). */
export function without(component: string, option: string): string {
  return component.replace(new RegExp(`^  ${option}:.*\\n(   .*\\n)*`, "m"), "");
}

export function load(documents: readonly string[], environment: Environment = {}, options: LoadOptions = {}): LoadedModule {
  return loadModule([{ path: "module.yaml", text: documents.join("---\n") }], environment, options);
}

export function findings(documents: readonly string[], environment: Environment = {}): readonly string[] {
  return load(documents, environment).findings.map(findingText);
}

export function warnings(documents: readonly string[], environment: Environment = {}): readonly string[] {
  return load(documents, environment).warnings.map(findingText);
}

/** Loads what must be right: with findings the test fails and says them. */
export function valid(documents: readonly string[], environment: Environment = {}, options: LoadOptions = {}): LoadedModule {
  const loaded = load(documents, environment, options);
  expect(loaded.findings.map(findingText)).toEqual([]);
  return loaded;
}
