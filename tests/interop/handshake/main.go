// Handshake says what Go's TLS says to certificates: `handshake FOLDER NAME…`.
//
// FOLDER has authority.pem, revoked.pem, good/identity.pem and NAME/identity.pem. Each NAME is shown by a server to a good client, and by a
// client to a good server, over TLS 1.3. A line is printed for each: "NAME true false" if it is believed as a server and not as a client.
// Go checks no list of revoked certificates by itself, so revoked is what any program in Go that speaks to us needs beside its standard library.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const host = "localhost"

func main() {
	folder := os.Args[1]
	authorities, lists := blocks(filepath.Join(folder, "authority.pem")), blocks(filepath.Join(folder, "revoked.pem"))
	trusted := x509.NewCertPool()
	for _, one := range authorities {
		trusted.AddCert(must(x509.ParseCertificate(one)))
	}
	var revocations []*x509.RevocationList
	for _, one := range lists {
		revocations = append(revocations, must(x509.ParseRevocationList(one)))
	}
	look := func(state tls.ConnectionState) error { return revoked(state.VerifiedChains, revocations) }
	good := pair(folder, "good")
	strictServer := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted, VerifyConnection: look}
	strictClient := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{good}, RootCAs: trusted, ServerName: host, VerifyConnection: look}
	for _, name := range os.Args[2:] {
		shown := pair(folder, name)
		send := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown, nil }
		server := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{shown}, ClientAuth: tls.RequireAnyClientCert}
		client := &tls.Config{MinVersion: tls.VersionTLS13, GetClientCertificate: send, InsecureSkipVerify: true}
		_, asServer := shake(server, strictClient)
		asClient, _ := shake(strictServer, client)
		fmt.Println(name, asServer == nil, asClient == nil)
		fmt.Fprintln(os.Stderr, name, asServer, "|", asClient)
	}
}

// revoked refuses a chain of which a certificate has no list of its issuer in force, or is in it.
func revoked(chains [][]*x509.Certificate, lists []*x509.RevocationList) error {
	for _, chain := range chains {
		for at := 0; at+1 < len(chain); at++ {
			if err := listed(chain[at], chain[at+1], lists); err != nil {
				return err
			}
		}
	}
	return nil
}

func listed(one, issuer *x509.Certificate, lists []*x509.RevocationList) error {
	for _, list := range lists {
		if !bytes.Equal(list.RawIssuer, issuer.RawSubject) || list.CheckSignatureFrom(issuer) != nil || time.Now().After(list.NextUpdate) {
			continue
		}
		for _, entry := range list.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(one.SerialNumber) == 0 {
				return errors.New("revoked")
			}
		}
		return nil
	}
	return errors.New("no list of its issuer")
}

// shake returns what each side says to the other.
func shake(server, client *tls.Config) (ofServer, ofClient error) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	done := make(chan error, 1)
	go func() {
		connection := must(listener.Accept())
		defer connection.Close()
		one := tls.Server(connection, server)
		err := one.Handshake()
		done <- err
		one.Close()
	}()
	connection := must(net.Dial("tcp", listener.Addr().String()))
	defer connection.Close()
	other := tls.Client(connection, client)
	ofClient = other.Handshake()
	if ofClient != nil {
		connection.Close()
	}
	return <-done, ofClient
}

func pair(folder, name string) tls.Certificate {
	path := filepath.Join(folder, name, "identity.pem")
	return must(tls.LoadX509KeyPair(path, path))
}

func blocks(path string) (found [][]byte) {
	rest := must(os.ReadFile(path))
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found
		}
		found = append(found, block.Bytes)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
