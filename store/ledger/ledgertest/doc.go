// Package ledgertest makes small networks and plays them without a network:
// every chain executes its epochs, every validator signs, and what a mesh of nodes
// would submit is handed to the ledgers directly. It is for tests, and as
// deterministic as the ledger.
package ledgertest
