import type { HclSource, Range } from './source.ts';
import type { Value } from './value.ts';

/** What a file says, before anything is evaluated. */
export interface Body {
  readonly attributes: readonly Attribute[];
  readonly blocks: readonly Block[];
}

export interface Attribute {
  readonly name: string;
  readonly nameRange: Range;
  readonly range: Range;
  readonly expression: Expression;
  readonly source: HclSource;
}

export interface Block {
  readonly type: string;
  readonly typeRange: Range;
  readonly labels: readonly { readonly text: string; readonly range: Range }[];
  readonly body: Body;
  readonly source: HclSource;
}

export type UnaryOperator = '-' | '!';
export type BinaryOperator = '||' | '&&' | '==' | '!=' | '<' | '>' | '<=' | '>=' | '+' | '-' | '*' | '/' | '%';

export type Expression = { readonly range: Range; readonly source: HclSource } & (
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'template'; readonly parts: readonly TemplatePart[] }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'attribute'; readonly target: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly target: Expression; readonly key: Expression }
  /** `each` is evaluated for every element, which is its innermost `item`. */
  | { readonly kind: 'splat'; readonly target: Expression; readonly each: Expression }
  | { readonly kind: 'item' }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly nameRange: Range;
      readonly args: readonly Expression[];
      /** The last argument stands for all of its elements. */
      readonly spread: boolean;
    }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: 'conditional';
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly kind: 'tuple'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly items: readonly ObjectItem[] }
  | { readonly kind: 'parentheses'; readonly inner: Expression }
  | ForExpression
);

export interface ObjectItem {
  readonly key: Expression;
  /** A bare word as key is its own text. */
  readonly word?: string | undefined;
  readonly value: Expression;
}

export interface ForExpression {
  readonly kind: 'for';
  readonly keyName: string | undefined;
  readonly valueName: string;
  readonly collection: Expression;
  /** Set for an object. */
  readonly key: Expression | undefined;
  readonly value: Expression;
  readonly condition: Expression | undefined;
  /** `...`: values of the same key become a list. */
  readonly group: boolean;
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | {
      readonly kind: 'if';
      readonly condition: Expression;
      readonly yes: readonly TemplatePart[];
      readonly no: readonly TemplatePart[];
    }
  | {
      readonly kind: 'for';
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      readonly body: readonly TemplatePart[];
    };
