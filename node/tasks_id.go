package node

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/meshsec/meshsec/attest"
	"github.com/meshsec/meshsec/store/ledger"
)

// taskOf finds the task that an operation is meant for; false for those that are
// nobody's task.
func taskOf(op *ledger.Operation) (id [32]byte, ok bool) {
	switch ledger.Kind(op.Kind) {
	case ledger.KindUpdatePeer:
		var b ledger.UpdatePeer
		if b.UnmarshalSSZ(op.Body) == nil {
			c := &b.Certificate.Checkpoint
			return taskID(ledger.KindUpdatePeer, string(c.ChainID), c.Epoch), true
		}
	case ledger.KindConfirmPeer:
		var b ledger.ConfirmPeer
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindConfirmPeer, string(b.Certificate.Claim.Peer), b.Certificate.Claim.ToEpoch), true
		}
	case ledger.KindImportStatement:
		var b ledger.ImportStatement
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindImportStatement, string(b.Provider), b.Epoch), true
		}
	case ledger.KindRecordCertificate:
		var b ledger.RecordCertificate
		if b.UnmarshalSSZ(op.Body) == nil {
			c := &b.Certificate
			absent := len(b.Set.Validators) - attest.Bits(c.Signers).Count()
			return recordTask(string(c.Checkpoint.ChainID), c.Checkpoint.Epoch, absent), true
		}
	case ledger.KindProveCover:
		var b ledger.ProveCover
		if b.UnmarshalSSZ(op.Body) == nil {
			return taskID(ledger.KindProveCover, string(b.Chain), b.Checkpoint), true
		}
	case ledger.KindSubmitFault:
		var b ledger.SubmitFault
		if b.UnmarshalSSZ(op.Body) == nil {
			return faultTask(b.Proof.ID()), true
		}
	}
	return id, false
}

// tasksIn maps the tasks that operations are meant for to the hash of the operation.
func tasksIn(operations [][]byte) map[[32]byte][32]byte {
	out := make(map[[32]byte][32]byte)
	for _, raw := range operations {
		op, err := ledger.DecodeOperation(raw)
		if err != nil {
			continue // the ledger will say so in its receipt
		}
		if id, ok := taskOf(op); ok {
			out[id] = sha256.Sum256(raw)
		}
	}
	return out
}

func taskID(kind ledger.Kind, chain string, epoch uint64) [32]byte {
	return seedOf("task", uint8(kind), chain, epoch)
}

// recordTask tells certificates of one epoch with different numbers of signers apart.
func recordTask(chain string, epoch uint64, absent int) [32]byte {
	return seedOf("record", uint8(ledger.KindRecordCertificate), chain, epoch<<16|uint64(absent))
}

// orderOf is the same for all tasks of a kind about a peer until the home ledger
// moves on, so that one validator submits a sequence in its order.
func orderOf(kind ledger.Kind, chain string, meta *ledger.Meta) [32]byte {
	return seedOf("order", uint8(kind), chain, meta.Epoch)
}

func seedOf(what string, kind uint8, chain string, number uint64) [32]byte {
	b := append([]byte(what), kind)
	b = binary.BigEndian.AppendUint64(b, number)
	return sha256.Sum256(append(b, chain...))
}

func faultTask(id [32]byte) [32]byte {
	return sha256.Sum256(append([]byte("fault"), id[:]...))
}
