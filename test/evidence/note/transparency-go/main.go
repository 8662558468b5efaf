// Opens and makes signed notes, cosignatures and Merkle proofs with the libraries that Certificate Transparency and the
// Go checksum database use. Reads one JSON document, answers with another.
package main

import (
	"encoding/json"
	"os"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type proofCase struct {
	Kind           string   `json:"kind"`
	Index          uint64   `json:"index"`
	OldSize        uint64   `json:"oldSize"`
	Size           uint64   `json:"size"`
	Leaf           []byte   `json:"leaf"`
	OldRoot        []byte   `json:"oldRoot"`
	Root           []byte   `json:"root"`
	Proof          [][]byte `json:"proof"`
}

type question struct {
	LogKey     string      `json:"logKey"`
	WitnessKey string      `json:"witnessKey"`
	Notes      []string    `json:"notes"`
	Proofs     []proofCase `json:"proofs"`
	Text       string      `json:"text"`
}

type answer struct {
	Opened     []int  `json:"opened"`
	Held       []bool `json:"held"`
	LogKey     string `json:"logKey"`
	WitnessKey string `json:"witnessKey"`
	Note       string `json:"note"`
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func holds(c proofCase) bool {
	if c.Kind == "inclusion" {
		return proof.VerifyInclusion(rfc6962.DefaultHasher, c.Index, c.Size, c.Leaf, c.Proof, c.Root) == nil
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, c.OldSize, c.Size, c.Proof, c.OldRoot, c.Root) == nil
}

func main() {
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	var told answer

	known := note.VerifierList(
		must(note.NewVerifier(asked.LogKey)),
		must(fnote.NewVerifierForCosignatureV1(asked.WitnessKey)),
	)
	for _, each := range asked.Notes {
		opened, err := note.Open([]byte(each), known)
		if err != nil {
			told.Opened = append(told.Opened, 0)
			continue
		}
		told.Opened = append(told.Opened, len(opened.Sigs))
	}
	for _, each := range asked.Proofs {
		told.Held = append(told.Held, holds(each))
	}

	logSecret, logKey, err := note.GenerateKey(nil, "go.example/log")
	if err != nil {
		panic(err)
	}
	witnessSecret, witnessKey, err := note.GenerateKey(nil, "go.example/witness")
	if err != nil {
		panic(err)
	}
	signed := must(note.Sign(
		&note.Note{Text: asked.Text},
		must(note.NewSigner(logSecret)),
		must(fnote.NewSignerForCosignatureV1(witnessSecret)),
	))
	told.LogKey = logKey
	told.WitnessKey = must(fnote.VKeyToCosignatureV1(witnessKey))
	told.Note = string(signed)
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
}
