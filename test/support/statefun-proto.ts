/**
 * StateFun's request-reply protocol as protobufjs' reflection reads and writes it (STATEFUN.md §1.1): the other side of our own
 * codec in tests. `FutureTypedValue` has a field that we do not know.
 */
import * as protobuf from "protobufjs";

const SOURCE = `
syntax = "proto3";
package io.statefun.sdk.reqreply;

message Address { string namespace = 1; string type = 2; string id = 3; }
message TypedValue { string typename = 1; bool has_value = 2; bytes value = 3; }
message FutureTypedValue { string typename = 1; bool has_value = 2; bytes value = 3; repeated string metadata = 4; }

message ToFunction {
  message PersistedValue { string state_name = 1; TypedValue state_value = 2; }
  message Invocation { Address caller = 1; TypedValue argument = 2; }
  message InvocationBatchRequest { Address target = 1; repeated PersistedValue state = 2; repeated Invocation invocations = 3; }
  oneof request { InvocationBatchRequest invocation = 100; }
}

message FromFunction {
  message PersistedValueMutation {
    enum MutationType { DELETE = 0; MODIFY = 1; }
    MutationType mutation_type = 1; string state_name = 2; TypedValue state_value = 3;
  }
  message Invocation { Address target = 1; TypedValue argument = 2; }
  message DelayedInvocation {
    int64 delay_in_ms = 1; Address target = 2; TypedValue argument = 3;
    bool is_cancellation_request = 10; string cancellation_token = 11;
  }
  message EgressMessage { string egress_namespace = 1; string egress_type = 2; TypedValue argument = 3; }
  message InvocationResponse {
    repeated PersistedValueMutation state_mutations = 1; repeated Invocation outgoing_messages = 2;
    repeated DelayedInvocation delayed_invocations = 3; repeated EgressMessage outgoing_egresses = 4;
  }
  message ExpirationSpec {
    enum ExpireMode { NONE = 0; AFTER_WRITE = 1; AFTER_INVOKE = 2; }
    ExpireMode mode = 1; int64 expire_after_millis = 2;
  }
  message PersistedValueSpec { string state_name = 1; ExpirationSpec expiration_spec = 2; string type_typename = 3; }
  message IncompleteInvocationContext { repeated PersistedValueSpec missing_values = 1; }
  oneof response {
    InvocationResponse invocation_result = 100;
    IncompleteInvocationContext incomplete_invocation_context = 101;
  }
}

message KafkaProducerRecord { string key = 1; bytes value_bytes = 2; string topic = 3; }

message BooleanWrapper { bool value = 1; }
message IntWrapper { sfixed32 value = 1; }
message LongWrapper { sfixed64 value = 1; }
message FloatWrapper { float value = 1; }
message DoubleWrapper { double value = 1; }
message StringWrapper { string value = 1; }
`;

export const protocol = protobuf.parse(SOURCE, { keepCase: true }).root;

export interface AddressFields {
  namespace?: string;
  type?: string;
  id?: string;
}

export interface TypedValueFields {
  typename?: string;
  has_value?: boolean;
  value?: Uint8Array;
}

export interface InvocationRequestFields {
  target?: AddressFields;
  state?: { state_name?: string; state_value?: TypedValueFields }[];
  invocations?: { caller?: AddressFields; argument?: TypedValueFields }[];
}

export interface DelayedFields {
  delay_in_ms?: number;
  target?: AddressFields;
  argument?: TypedValueFields;
  is_cancellation_request?: boolean;
  cancellation_token?: string;
}

export interface ReplyFields {
  state_mutations?: { mutation_type?: number; state_name?: string; state_value?: TypedValueFields }[];
  outgoing_messages?: { target?: AddressFields; argument?: TypedValueFields }[];
  delayed_invocations?: DelayedFields[];
  outgoing_egresses?: { egress_namespace?: string; egress_type?: string; argument?: TypedValueFields }[];
}

export interface DeclarationFields {
  state_name?: string;
  expiration_spec?: { mode?: number; expire_after_millis?: number };
  type_typename?: string;
}

export function encodeMessage(name: string, fields: object): Uint8Array {
  const type = protocol.lookupType(name);
  return new Uint8Array(type.encode(type.create(fields)).finish());
}

/** Plain fields; what is not in the bytes is absent, so that left-out and default can be told apart. */
export function decodeMessage<Fields>(name: string, bytes: Uint8Array): Fields {
  const type = protocol.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: Number }) as Fields;
}

export function typedValue(typename: string, value: Uint8Array | string): TypedValueFields {
  return { typename, has_value: true, value: Buffer.from(value) };
}

export function encodeTypedValue(typename: string, value: Uint8Array | string): Uint8Array {
  return encodeMessage("TypedValue", typedValue(typename, value));
}

/** A FromFunction with effects, or none. */
export function replyBytes(invocation_result: ReplyFields = {}): Uint8Array {
  return encodeMessage("FromFunction", { invocation_result });
}

/** A FromFunction that asks for states. */
export function incompleteBytes(...missing_values: DeclarationFields[]): Uint8Array {
  return encodeMessage("FromFunction", { incomplete_invocation_context: { missing_values } });
}

export function decodeRequest(body: Uint8Array): InvocationRequestFields {
  return decodeMessage<{ invocation?: InvocationRequestFields }>("ToFunction", body).invocation ?? {};
}
