// Asks cert-manager's own trigger policies whether they would re-issue Certificates.
//
// In: a file of JSON objects {"certificate", "secret" or null, "requests": [CertificateRequest], "now"}.
// Out: for each a line {"reason", "message", "reissue"}, as policies.NewTriggerPolicyChain decides on what
// policies.Gatherer finds: what the trigger controller itself does
// (pkg/controller/certificates/trigger/trigger_controller.go, ProcessItem).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	fakeclock "k8s.io/utils/clock/testing"

	"github.com/cert-manager/cert-manager/internal/controller/certificates/policies"
	"github.com/cert-manager/cert-manager/internal/controller/feature"
	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmlisters "github.com/cert-manager/cert-manager/pkg/client/listers/certmanager/v1"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
)

type situation struct {
	Certificate *cmapi.Certificate          `json:"certificate"`
	Secret      *corev1.Secret              `json:"secret"`
	Requests    []*cmapi.CertificateRequest `json:"requests"`
	Now         time.Time                   `json:"now"`
}

type answer struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Reissue bool   `json:"reissue"`
}

func indexer[T any](objects ...*T) (cache.Indexer, error) {
	store := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, object := range objects {
		if object == nil {
			continue
		}
		if err := store.Add(object); err != nil {
			return nil, err
		}
	}
	return store, nil
}

func decide(s situation) (answer, error) {
	secrets, err := indexer(s.Secret)
	if err != nil {
		return answer{}, err
	}
	requests, err := indexer(s.Requests...)
	if err != nil {
		return answer{}, err
	}
	gatherer := policies.Gatherer{
		CertificateRequestLister: cmlisters.NewCertificateRequestLister(requests),
		SecretLister:             corelisters.NewSecretLister(secrets),
	}
	input, err := gatherer.DataForCertificate(context.Background(), s.Certificate)
	if err != nil {
		return answer{}, err
	}
	chain := policies.NewTriggerPolicyChain(fakeclock.NewFakeClock(s.Now))
	reason, message, reissue := chain.Evaluate(input)
	return answer{reason, message, reissue}, nil
}

func run() error {
	// Off by default; a Certificate carries status.acme.ari only where it is on.
	if len(os.Args) != 2 {
		return errors.New("usage: reissue FILE")
	}
	if err := utilfeature.DefaultMutableFeatureGate.Set(string(feature.ACMEUseARI) + "=true"); err != nil {
		return err
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		return err
	}
	defer file.Close()
	in, out := json.NewDecoder(file), json.NewEncoder(os.Stdout)
	for {
		var s situation
		if err := in.Decode(&s); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := decide(s)
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
