/**
 * A typed value as it travels: the bytes of StateFun's TypedValue {typename = 1, has_value = 2, value = 3}, kept opaque
 * so that fields we do not know (a fork adds field 4) survive from sender to receiver.
 *
 * Two shapes in one class, so that a Kafka record need not be copied to become an argument:
 * - `value` undefined: `head` is the whole encoded TypedValue;
 * - `value` given: `head` is the encoded fields before it (typename, has_value), and `value` the content of field 3.
 */
export class TypedValue {
  constructor(
    readonly head: Uint8Array,
    readonly value: Uint8Array | undefined,
  ) {}
}
