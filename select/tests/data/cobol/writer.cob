       IDENTIFICATION DIVISION.
       PROGRAM-ID. WRITER.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT OUT-FILE ASSIGN TO "sample.dat"
               ORGANIZATION IS SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD  OUT-FILE.
           COPY "sample.cpy".
       WORKING-STORAGE SECTION.
       01  N PIC S9(4) COMP-5.
       01  LEN PIC 9(6).
       01  V PIC S9(5)V99.
       01  W PIC S9(7)V99.
       01  X PIC -(6)9.99.
       01  Y PIC -(8)9.99.
       01  Z PIC -(17)9.99.
       01  I PIC -(9)9.
       PROCEDURE DIVISION.
           MOVE FUNCTION LENGTH(SAMPLE-RECORD) TO LEN.
           DISPLAY "# " LEN " bytes" UPON SYSERR.
           OPEN OUTPUT OUT-FILE.
           PERFORM VARYING N FROM 1 BY 1 UNTIL N > 5
               PERFORM FILL-RECORD
               WRITE SAMPLE-RECORD
           END-PERFORM.
           CLOSE OUT-FILE.
           STOP RUN.
       FILL-RECORD.
           INITIALIZE SAMPLE-RECORD.
           MOVE N TO REC-ID.
           EVALUATE N
             WHEN 1
               MOVE "Ann" TO CUST-NAME MOVE 12.34 TO V W
             WHEN 2
               MOVE "Bob, Jr." TO CUST-NAME MOVE -12.34 TO V W
             WHEN 3
               MOVE SPACES TO CUST-NAME MOVE 0 TO V W
             WHEN 4
               MOVE "ABCDEFGHIJKLMNOPQRST" TO CUST-NAME
               MOVE 99999.99 TO V MOVE 9999999.99 TO W
             WHEN 5
               MOVE "x" TO CUST-NAME
               MOVE -99999.99 TO V MOVE -9999999.99 TO W
           END-EVALUATE.
           MOVE V TO PRICE PRICE-LEAD PRICE-SEP PRICE-LSEP EDITED.
           MOVE W TO PACKED-AMT.
           COMPUTE PACKED-UNS = N * 1111.
           COMPUTE PACKED-NOSIGN = N * 111111.
           COMPUTE BIN-1 = 10 - N * 20.
           IF N = 5 MOVE -99 TO BIN-1.
           COMPUTE BIN-2 = 1000 - N * 2000.
           COMPUTE BIN-4 = 100000000 - N * 200000000.
           COMPUTE BIN-8 = W * 1000000000.
           COMPUTE BIN-UNS = N * 11111111.
           COMPUTE NATIVE-4 = 0 - BIN-4.
           COMPUTE RATIO-4 = N / 4.
           COMPUTE RATIO-8 = (0 - N) / 8.
           COMPUTE DUE-DATE = 20240228 + N.
           IF N > 1 COMPUTE DUE-DATE = 20240300 + N.
           MOVE "H" TO PHONE-KIND(1) MOVE "W" TO PHONE-KIND(2).
           MOVE N TO DIGIT(1, 1) DIGIT(2, 3).
           MOVE V TO X. MOVE W TO Y. MOVE BIN-8 TO Z.
           DISPLAY REC-ID "|" CUST-NAME "|" X "|" Y "|" PACKED-UNS "|"
             PACKED-NOSIGN "|" WITH NO ADVANCING.
           MOVE BIN-1 TO I. DISPLAY I "|" WITH NO ADVANCING.
           MOVE BIN-2 TO I. DISPLAY I "|" WITH NO ADVANCING.
           MOVE BIN-4 TO I. DISPLAY I "|" WITH NO ADVANCING.
           DISPLAY Z "|" BIN-UNS "|" WITH NO ADVANCING.
           MOVE NATIVE-4 TO I. DISPLAY I "|" WITH NO ADVANCING.
           DISPLAY RATIO-4 "|" RATIO-8 "|" EDITED "|" DUE-DATE "|"
             DUE-YEAR "|" PHONE-KIND(1) DIGIT(1, 1) DIGIT(1, 2)
             DIGIT(1, 3) "|" PHONE-KIND(2) DIGIT(2, 1) DIGIT(2, 2)
             DIGIT(2, 3).
