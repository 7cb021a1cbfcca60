/** `dirigo/sdk`: write functions in TypeScript. */
export type { Address } from "./address";
export { InvocationError, UnknownFunctionError } from "./batch";
export {
  type Context,
  defineFunction,
  FunctionDefinition,
  type FunctionOptions,
  type JsonObject,
  type KafkaRecord,
} from "./definition";
export type { Duration } from "./duration";
export {
  defineFunctions,
  type ExpressHandler,
  type FunctionServer,
  Functions,
  type ListenOptions,
  type PlainHandler,
  type ServingOptions,
  serve,
} from "./http-functions";
export { Message } from "./message";
export {
  after,
  type DeepReadonly,
  type Expiration,
  type PartValues,
  StateDeclaration,
  type StateOptions,
  type States,
  type StateValues,
  state,
} from "./state";
export { type Codec, type Schema, type Sendable, Type, Typed, types } from "./type";
