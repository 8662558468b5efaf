/** How the product names itself in exported formats; the version equals the package's. */
export const product = { vendor: 'Custody', name: 'mcp-custody', version: '0.1.0' } as const;
