/** The flags of `strake bake`, as commander gives them. */
export interface BakeFlags {
  readonly file: readonly string[];
  readonly set: readonly string[];
  readonly var: readonly string[];
  readonly print?: boolean | undefined;
  readonly list?: string | undefined;
  readonly call?: string | undefined;
  readonly check?: boolean | undefined;
  readonly cache: boolean;
  readonly pull?: boolean | undefined;
  readonly push?: boolean | undefined;
  readonly load?: boolean | undefined;
  readonly provenance?: string | undefined;
  readonly sbom?: string | undefined;
  readonly allow: readonly string[];
  readonly metadataFile?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly progress?: string | undefined;
}
