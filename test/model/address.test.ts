import { addressText, splitTypename, typenameOf } from "../../src/model/address";

describe("address", () => {
  it("names its type and itself", () => {
    const address = { namespace: "shop", type: "cart", id: "a/b" };
    expect(typenameOf(address)).toBe("shop/cart");
    expect(addressText(address)).toBe("shop/cart/a/b");
  });

  test.each([
    ["shop/cart", { namespace: "shop", name: "cart" }],
    ["shop", undefined],
    ["", undefined],
    ["/cart", undefined],
    ["shop/", undefined],
    ["shop/cart/item", undefined],
    ["shop//cart", undefined],
    ["/", undefined],
    // NUL parts the keys of the state topic.
    ["shop/ca\0rt", undefined],
  ])("splits %j", (typename, expected) => {
    expect(splitTypename(typename)).toEqual(expected);
  });
});
